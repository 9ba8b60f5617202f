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
        ("tanh", .tanh, { tanh($0) }),
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
        OperationCase("blend \(size)", inputs: [size], parameters: [(1, size.1)]) { tape, x, p in
          let constant = Storage(shape: [size.1]).tensor
          constant.fill(0.75)
          return tape.blend(x[0], toward: constant, by: p[0])
        } reference: {
          $0[0].withRow($0[1]) { x, weight in (1 - weight) * x + weight * 0.75 }
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
      headNorm(rows: size.0, width: size.1),
      OperationCase("rmsNorm \(size)", inputs: [size], parameters: [(1, size.1)]) { tape, x, p in
        tape.rmsNorm(x[0], gain: p[0], epsilon: 1e-6)
      } reference: { m in
        Matrix(size.0, size.1) { r, c in
          let row = m[0].row(r)
          return row[c] / (row.reduce(0) { $0 + $1 * $1 } / Double(row.count) + 1e-6).squareRoot() * m[1][0, c]
        }
      },
      OperationCase("unitRows \(size)", inputs: [size]) { tape, x, _ in
        tape.unitRows(x[0])
      } reference: { m in
        Matrix(size.0, size.1) { r, c in m[0][r, c] / m[0].row(r).reduce(0) { $0 + $1 * $1 }.squareRoot() }
      },
    ]
  }

  /// An RMS norm of three heads a row, whose gain is one more than the parameter.
  private static func headNorm(rows: Int, width: Int) -> OperationCase {
    OperationCase("rmsNorm from 1 of heads (\(rows), \(width))", inputs: [(rows, 3 * width)], parameters: [(1, width)])
    {
      tape, x, p in
      tape.rmsNorm(x[0], gain: p[0], gainOffset: 1, epsilon: 1e-6)
    } reference: { m in
      Matrix(rows, 3 * width) { r, c in
        let start: Int = c / width * width
        let squares: [Double] = (start..<start + width).map { m[0][r, $0] * m[0][r, $0] }
        let meanSquare: Double = squares.reduce(0, +) / Double(width)
        let gain: Double = 1 + m[1][0, c % width]
        return m[0][r, c] / (meanSquare + 1e-6).squareRoot() * gain
      }
    }
  }

  static let rotaries: [OperationCase] = [(1, 2, 2), (3, 8, 8), (2, 64, 64), (2, 12, 6), (1, 80, 32)].map {
    heads, d, rotated in
    var packing = Packing(lengths: [5])
    packing.positions = [0, 1, 2, 500, 7]
    let (packed, positions) = (packing, packing.positions)
    let table = RotaryTable(theta: 10000, headDimension: d, rotatedDimension: rotated)
    return OperationCase("rotary \(heads) heads of \(d), \(rotated) rotated", inputs: [(5, heads * d)]) { tape, x, _ in
      tape.rotary(x[0], packing: packed, table: table)
    } reference: { x in
      Matrix(5, heads * d) { r, c in
        let (start, i, half) = (c / d * d, c % d, rotated / 2)
        if i >= rotated { return x[0][r, c] }
        let angle = Double(Float(positions[r]) * Float(pow(10000, -2 * Double(i % half) / Double(rotated))))
        let other = i < half ? -x[0][r, start + i + half] : x[0][r, start + i - half]
        return x[0][r, c] * cos(angle) + other * sin(angle)
      }
    }
  }

  /// Every span, with and without a soft cap, over sequences of one row, of one block and of several.
  static let attentions: [OperationCase] = [
    ([1], 1, 1, 4, .causal, nil), ([2, 1, 5], 2, 2, 3, .causal, nil), ([7, 0, 67], 4, 2, 8, .causal, nil),
    ([131], 3, 1, 16, .causal, nil), ([64, 65, 1], 2, 1, 64, .causal, nil), ([9, 1], 2, 1, 8, .window(1), nil),
    ([3, 150], 2, 1, 8, .window(5), nil), ([199], 2, 2, 4, .window(64), nil), ([40, 2], 1, 1, 8, .window(500), nil),
    ([1, 0, 7], 2, 1, 4, .all, nil), ([130, 3], 2, 2, 8, .all, nil), ([5, 70], 2, 1, 8, .causal, 1.5),
    ([1, 130], 4, 2, 8, .window(33), 0.75), ([67], 1, 1, 8, .all, 3),
  ].map { (lengths: [Int], heads: Int, keyHeads: Int, d: Int, span: AttentionSpan, cap: Float?) in
    let packing = Packing(lengths: lengths)
    let rows = packing.rowCount
    let form = AttentionForm(
      heads: heads, keyValueHeads: keyHeads, scale: Float(1 / Double(d).squareRoot()), span: span, softCap: cap)
    return OperationCase(
      "attention \(lengths), \(heads)/\(keyHeads) heads of \(d), \(span), cap \(cap ?? 0)",
      inputs: [(rows, heads * d), (rows, keyHeads * d), (rows, keyHeads * d)]
    ) { tape, x, _ in
      tape.attention(queries: x[0], keys: x[1], values: x[2], packing: packing, form: form)
    } reference: {
      referenceAttention($0[0], $0[1], $0[2], packing, form)
    }
  }

  static let selections: [OperationCase] = [
    OperationCase("sequenceMeans", inputs: [(8, 70)]) { tape, x, _ in
      tape.sequenceMeans(x[0], Packing(lengths: [3, 1, 4]))
    } reference: { m in
      Matrix(3, 70) { r, c in
        let rows = [0..<3, 3..<4, 4..<8][r]
        return rows.reduce(0) { $0 + m[0][$1, c] } / Double(rows.count)
      }
    },
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
    OperationCase("split by groups", inputs: [(4, 18)]) { tape, x, _ in
      let parts = tape.split(x[0], columns: [2, 1, 3], groups: 3)
      return tape.gated(tape.add(tape.split(parts[2], columns: [6, 3])[0], parts[0]), parts[0], .relu)
    } reference: { m in
      Matrix(4, 6) { r, c in
        let own = m[0][r, c / 2 * 6 + c % 2]
        return max(m[0][r, c / 3 * 6 + 3 + c % 3] + own, 0) * own
      }
    },
    OperationCase("split and joined", inputs: [(6, 15)]) { tape, x, _ in
      let parts = tape.split(x[0], columns: [5, 5, 5])
      return tape.gated(tape.add(parts[0], parts[2]), parts[1], .relu)
    } reference: { m in
      Matrix(6, 5) { max(m[0][$0, $1] + m[0][$0, $1 + 10], 0) * m[0][$0, $1 + 5] }
    },
  ]
}

/// Attention by its definition, one query at a time.
func referenceAttention(_ q: Matrix, _ k: Matrix, _ v: Matrix, _ packing: Packing, _ form: AttentionForm) -> Matrix {
  let d = q.columns / form.heads
  var output = Matrix(q.rows, q.columns, [Double](repeating: 0, count: q.values.count))
  for sequence in 0..<packing.sequenceCount {
    let rows = packing.rows(sequence)
    for row in rows {
      let seen =
        switch form.span {
        case .causal: rows.lowerBound..<row + 1
        case .window(let count): max(rows.lowerBound, row + 1 - count)..<row + 1
        case .all: rows
        }
      for head in 0..<form.heads {
        let keyHead = head / (form.heads / form.keyValueHeads)
        let scores = seen.map { t in
          let score = (0..<d).reduce(0.0) { $0 + q[row, head * d + $1] * k[t, keyHead * d + $1] } * Double(form.scale)
          return form.softCap.map { Double($0) * tanh(score / Double($0)) } ?? score
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
