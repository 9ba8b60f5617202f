import Foundation
import RandomStreams
import Tensor
import Testing

/// One operation of the tape at one size: what to run, and what it should give, in plain double precision.
///
/// The one table of them serves values, gradients, every kernel variant, repeatability and thread counts.
struct OperationCase: Sendable, CustomTestStringConvertible {
  let name: String
  /// Rows and columns of the variables that go in.
  let inputs: [(Int, Int)]
  /// Rows and columns of the parameters; one row makes a vector.
  let parameters: [(Int, Int)]
  let run: @Sendable (Tape, [Variable], [Parameter]) -> Variable
  /// The result from the inputs, then the parameters.
  let reference: @Sendable ([Matrix]) -> Matrix

  var testDescription: String { name }

  init(
    _ name: String, inputs: [(Int, Int)], parameters: [(Int, Int)] = [],
    run: @escaping @Sendable (Tape, [Variable], [Parameter]) -> Variable,
    reference: @escaping @Sendable ([Matrix]) -> Matrix
  ) {
    (self.name, self.inputs, self.parameters, self.run, self.reference) = (name, inputs, parameters, run, reference)
  }

  static let all: [OperationCase] =
    linears + elementwise + norms + rotaries + attentions + selections

  static let linears: [OperationCase] = [(1, 1, 1), (7, 17, 5), (33, 64, 130), (2, 3, 257)].flatMap {
    rows, inner, out in
    [
      OperationCase("linear \(rows)x\(inner)x\(out)", inputs: [(rows, inner)], parameters: [(out, inner), (1, out)]) {
        $0.linear($1[0], $2[0], bias: $2[1])
      } reference: {
        ($0[0] * $0[1].transpose).withRow($0[2], +)
      },
      OperationCase(
        "linear, Conv1D layout \(rows)x\(inner)x\(out)", inputs: [(rows, inner)], parameters: [(inner, out)]
      ) {
        $0.linear($1[0], $2[0], weightLayout: .inputByOutput)
      } reference: {
        $0[0] * $0[1]
      },
    ]
  }

  static let elementwise: [OperationCase] =
    [(1, 1), (7, 17), (3, 128)].flatMap { size -> [OperationCase] in
      let functions: [(String, Activation, @Sendable (Double) -> Double)] = [
        (
          "geluTanh", .geluTanh,
          { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
        ),
        ("geluExact", .geluExact, { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }),
        ("relu", .relu, { max($0, 0) }),
        ("silu", .silu, { $0 / (1 + exp(-$0)) }),
      ]
      let activations = functions.flatMap { name, activation, function in
        [
          OperationCase("\(name) \(size)", inputs: [size]) { tape, x, _ in
            tape.activation(x[0], activation)
          } reference: {
            $0[0].map(function)
          },
          OperationCase("gated \(name) \(size)", inputs: [size, size]) { tape, x, _ in
            tape.gated(x[0], x[1], activation)
          } reference: { x in
            Matrix(size.0, size.1) { function(x[0][$0, $1]) * x[1][$0, $1] }
          },
        ]
      }
      let sums = [
        OperationCase("add \(size)", inputs: [size, size]) { tape, x, _ in
          tape.add(x[0], x[1])
        } reference: {
          $0[0] + $0[1]
        },
        OperationCase("scale \(size)", inputs: [size]) { tape, x, _ in
          tape.scale(x[0], by: -1.75)
        } reference: {
          $0[0].map { -1.75 * $0 }
        },
        OperationCase("add to itself \(size)", inputs: [size]) { tape, x, _ in
          tape.add(tape.add(x[0], x[0]), x[0])
        } reference: {
          $0[0].map { 3 * $0 }
        },
      ]
      return activations + sums
    }

  static let norms: [OperationCase] = [(1, 7), (5, 17), (9, 130)].flatMap { size in
    [
      OperationCase("layerNorm \(size)", inputs: [size], parameters: [(1, size.1), (1, size.1)]) { tape, x, p in
        tape.layerNorm(x[0], gain: p[0], bias: p[1], epsilon: 1e-5)
      } reference: { m in
        Matrix(size.0, size.1) { r, c in
          let row = m[0].row(r)
          let mean = row.reduce(0, +) / Double(row.count)
          let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
          return (row[c] - mean) / (variance + 1e-5).squareRoot() * m[1][0, c] + m[2][0, c]
        }
      },
      OperationCase("rmsNorm \(size)", inputs: [size], parameters: [(1, size.1)]) { tape, x, p in
        tape.rmsNorm(x[0], gain: p[0], epsilon: 1e-6)
      } reference: { m in
        Matrix(size.0, size.1) { r, c in
          let row = m[0].row(r)
          return row[c] / (row.reduce(0) { $0 + $1 * $1 } / Double(row.count) + 1e-6).squareRoot() * m[1][0, c]
        }
      },
    ]
  }

  static let rotaries: [OperationCase] = [(1, 2), (3, 8), (2, 64)].map { heads, d in
    let positions: [Int32] = [0, 1, 2, 500, 7]
    let table = RotaryTable(theta: 10000, headDimension: d)
    return OperationCase("rotary \(heads) heads of \(d)", inputs: [(5, heads * d)]) { tape, x, _ in
      tape.rotary(x[0], headDimension: d, positions: positions, table: table)
    } reference: { x in
      Matrix(5, heads * d) { r, c in
        let (start, i, half) = (c / d * d, c % d, d / 2)
        let angle = Double(Float(positions[r]) * Float(pow(10000, -2 * Double(i % half) / Double(d))))
        let other = i < half ? -x[0][r, start + i + half] : x[0][r, start + i - half]
        return x[0][r, c] * cos(angle) + other * sin(angle)
      }
    }
  }

  static let attentions: [OperationCase] = [
    ([1], 1, 1, 4), ([2, 1, 5], 2, 2, 3), ([7, 0, 67], 4, 2, 8), ([131], 3, 1, 16), ([64, 65, 1], 2, 1, 64),
  ].map { (lengths: [Int], heads: Int, keyHeads: Int, d: Int) in
    let packing = Packing(lengths: lengths)
    let rows = packing.rowCount
    let scale = 1 / Double(d).squareRoot()
    return OperationCase(
      "attention \(lengths), \(heads)/\(keyHeads) heads of \(d)",
      inputs: [(rows, heads * d), (rows, keyHeads * d), (rows, keyHeads * d)]
    ) { tape, x, _ in
      tape.attention(
        queries: x[0], keys: x[1], values: x[2], packing: packing, heads: heads, keyValueHeads: keyHeads,
        scale: Float(scale))
    } reference: {
      referenceAttention($0[0], $0[1], $0[2], packing, heads: heads, keyHeads: keyHeads, scale: scale)
    }
  }

  static let selections: [OperationCase] = [
    OperationCase("embedding", inputs: [], parameters: [(11, 70)]) { tape, _, p in
      tape.embedding([3, 0, 3, 10], p[0])
    } reference: { m in
      Matrix(4, 70) { m[0][[3, 0, 3, 10][$0], $1] }
    },
    OperationCase("gatherRows", inputs: [(6, 5)]) { tape, x, _ in
      tape.gatherRows(x[0], [5, 1, 1])
    } reference: { m in
      Matrix(3, 5) { m[0][[5, 1, 1][$0], $1] }
    },
    OperationCase("split and joined", inputs: [(6, 15)]) { tape, x, _ in
      let parts = tape.split(x[0], columns: [5, 5, 5])
      return tape.gated(tape.add(parts[0], parts[2]), parts[1], .relu)
    } reference: { m in
      Matrix(6, 5) { max(m[0][$0, $1] + m[0][$0, $1 + 10], 0) * m[0][$0, $1 + 5] }
    },
  ]
}

/// Causal attention by its definition, one query at a time.
func referenceAttention(
  _ q: Matrix, _ k: Matrix, _ v: Matrix, _ packing: Packing, heads: Int, keyHeads: Int, scale: Double
) -> Matrix {
  let d = q.columns / heads
  var output = Matrix(q.rows, q.columns, [Double](repeating: 0, count: q.values.count))
  for sequence in 0..<packing.sequenceCount {
    for row in packing.rows(sequence) {
      for head in 0..<heads {
        let keyHead = head / (heads / keyHeads)
        let seen = packing.rows(sequence).lowerBound...row
        let scores = seen.map { t in (0..<d).reduce(0.0) { $0 + q[row, head * d + $1] * k[t, keyHead * d + $1] } * scale
        }
        let largest = scores.max()!
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        for (t, weight) in zip(seen, weights) {
          for i in 0..<d { output[row, head * d + i] += weight / total * v[t, keyHead * d + i] }
        }
      }
    }
  }
  return output
}
