import RandomStreams
import Tensor
import Testing

/// A tensor of normal numbers that depend on the name alone.
func normal(_ shape: [Int], _ name: String) -> Storage {
  let storage = Storage(shape: shape)
  var stream = RandomStream(seed: 11, name: name)
  storage.tensor.fillNormal(standardDeviation: 1, &stream)
  return storage
}

/// The nearest bf16 to a float, by the definition: ties go to the even mantissa.
func nearestBF16(_ x: Float) -> Float {
  if x.isInfinite { return x }
  let below = Float(bitPattern: x.bitPattern & 0xffff_0000)
  let above = Float(bitPattern: (x.bitPattern & 0xffff_0000) &+ 0x1_0000)
  let (down, up) = ((Double(x) - Double(below)).magnitude, (Double(above) - Double(x)).magnitude)
  if down != up { return down < up ? below : above }
  return below.bitPattern & 0x1_0000 == 0 ? below : above
}

extension EngineSuite {
  @Suite("Matrix products") struct GemmTests {
    /// Rows, columns and inner elements: single ones, primes, whole tiles and panels, more than one chunk and block.
    static let sizes = [
      (1, 1, 1), (1, 17, 7), (3, 5, 300), (7, 33, 64), (13, 31, 257), (17, 100, 16), (49, 65, 33), (130, 12, 513),
      (200, 700, 65), (5, 2100, 512), (64, 40, 1024), (150, 96, 385), (2, 3, 641), (1, 50_257, 3), (3, 7, 9001),
    ]

    @Test("products of every form and odd sizes are those of the definition", arguments: sizes)
    func definition(rows: Int, columns: Int, inner: Int) {
      for precision in Precision.allCases {
        for form in 0..<4 {
          let (transposeA, transposeB) = (form & 1 != 0, form & 2 != 0)
          let a = normal(transposeA ? [inner, rows] : [rows, inner], "a")
          let b = normal(transposeB ? [columns, inner] : [inner, columns], "b")
          let (before, bias) = (normal([rows, columns], "c"), normal([columns], "bias"))
          let (left, right) = (matrix(a.tensor, precision), matrix(b.tensor, precision))
          let product = (transposeA ? left.transpose : left) * (transposeB ? right.transpose : right)
          func check(_ what: String, accumulate: Bool, _ multiply: (Tensor) -> Void) {
            let c = Storage(shape: [rows, columns])
            c.tensor.copy(from: before.tensor)
            multiply(c.tensor)
            let biases = bias.tensor.array(), old = before.tensor.array()
            let expected = product.values.indices.map {
              0.5 * product.values[$0] + Double(biases[$0 % columns]) + (accumulate ? Double(old[$0]) : 0)
            }
            expectClose(
              c.tensor.array(), expected, tolerance: 1e-6 * Double(inner).squareRoot(),
              "\(rows)x\(columns)x\(inner), form \(form), \(what), \(precision)")
          }
          for accumulate in [false, true] {
            for variant in Engine.Kernels.supported {
              withKernels(variant) {
                check("\(variant)", accumulate: accumulate) {
                  Gemm.multiply(
                    a.tensor, transposeA: transposeA, b.tensor, transposeB: transposeB, into: $0, bias: bias.tensor,
                    alpha: 0.5, accumulate: accumulate, precision: precision)
                }
              }
            }
            for library in MatrixLibrary.available where library.supports(precision) {
              check("\(library)", accumulate: accumulate) {
                Gemm.multiply(
                  a.tensor, transposeA: transposeA, b.tensor, transposeB: transposeB, into: $0, bias: bias.tensor,
                  alpha: 0.5, accumulate: accumulate, precision: precision, library: library)
              }
            }
          }
        }
      }
    }

    @Test("weights laid out before, or held in bf16, give the bits of those laid out in the call", arguments: sizes)
    func layouts(rows: Int, columns: Int, inner: Int) {
      for transposed in [false, true] {
        let a = normal([rows, inner], "a")
        let b = normal(transposed ? [columns, inner] : [inner, columns], "b")
        for variant in Engine.Kernels.supported {
          withKernels(variant) {
            func product(_ multiply: (Tensor) -> Void) -> [Float] {
              let c = Storage(shape: [rows, columns])
              multiply(c.tensor)
              return c.tensor.array()
            }
            let held = Weights.bf16(BFloat16Matrix(rounding: b.tensor))
            for precision in Precision.allCases {
              let plain = product {
                Gemm.multiply(a.tensor, b.tensor, transposeB: transposed, into: $0, precision: precision)
              }
              let packed = PackedMatrix(.fp32(b.tensor), transposed: transposed, precision: precision)
              #expect(product { Gemm.multiply(a.tensor, packed, into: $0) } == plain, "\(variant), \(precision)")
              guard precision == .bf16 else { continue }
              #expect(product { Gemm.multiply(a.tensor, held, transposeB: transposed, into: $0) } == plain)
              let packedHeld = PackedMatrix(held, transposed: transposed, precision: .fp32)
              #expect(product { Gemm.multiply(a.tensor, packedHeld, into: $0) } == plain)
            }
          }
        }
      }
    }

    @Test(
      "a row's bits depend neither on the other rows nor on how many there are",
      arguments: [(64, 64), (65, 17), (257, 33), (768, 256), (1, 300), (2000, 64), (100, 1024)], [true, false])
    func independentRows(size: (Int, Int), transposeB: Bool) {
      let (columns, inner) = size
      let rows = 150
      let (a, b) = (normal([rows, inner], "a"), normal(transposeB ? [columns, inner] : [inner, columns], "b"))
      for variant in Engine.Kernels.supported {
        withKernels(variant) {
          for precision in Precision.allCases {
            let packed = PackedMatrix(.fp32(b.tensor), transposed: transposeB, precision: precision)
            func product(_ range: Range<Int>, packed: PackedMatrix? = nil) -> [Float] {
              let c = Storage(shape: [range.count, columns])
              if let packed {
                Gemm.multiply(a.tensor.rows(range), packed, into: c.tensor)
              } else {
                Gemm.multiply(
                  a.tensor.rows(range), b.tensor, transposeB: transposeB, into: c.tensor, precision: precision)
              }
              return c.tensor.array()
            }
            let all = product(0..<rows)
            for count in [1, 2, 3, 6, 7, 11, 12, 13, 16, 17, 31, 33, 48, 49, 64, 100] {
              for start in [0, 1, rows - count] {
                let range = start..<start + count
                let same = Array(all[start * columns..<(start + count) * columns])
                #expect(product(range) == same, "\(variant), \(count) rows from \(start)")
                #expect(product(range, packed: packed) == same, "\(variant), \(count) rows from \(start), packed")
              }
            }
          }
        }
      }
    }

    @Test("the number of threads changes no bit", arguments: [(600, 64, 700), (16, 5000, 128), (300, 300, 300)])
    func threads(rows: Int, columns: Int, inner: Int) throws {
      let before = Engine.threads
      let (x, w, g) = (normal([rows, inner], "x"), normal([columns, inner], "w"), normal([rows, columns], "g"))
      func run() -> [[Float]] {
        Precision.allCases.flatMap { precision in
          let (y, dx, dw) = (
            Storage(shape: [rows, columns]), Storage(shape: [rows, inner]), Storage(shape: [columns, inner])
          )
          Gemm.multiply(x.tensor, w.tensor, transposeB: true, into: y.tensor, precision: precision)
          Gemm.multiply(g.tensor, w.tensor, into: dx.tensor, precision: precision)
          Gemm.multiply(
            g.tensor, transposeA: true, x.tensor, into: dw.tensor, accumulate: true, precision: precision)
          return [y.tensor.array(), dx.tensor.array(), dw.tensor.array()]
        }
      }
      let first = run()
      #expect(run() == first)
      try Engine.configure(threads: 1)
      #expect(run() == first)
      try Engine.configure(threads: before)
    }

    @Test("rounding to bf16 takes the nearest, the even one of two, keeps NaN and infinity")
    func rounding() {
      let subnormal = Float.leastNonzeroMagnitude
      var values: [Float] = [
        0, -0, 1, 1.00390625, 1.01171875, 3.3895314e38, .infinity, -.infinity, .nan, subnormal, -99_999 * subnormal,
      ]
      var stream = RandomStream(seed: 3, name: "bits")
      while values.count < 5003 {
        let value = Float(bitPattern: UInt32(truncatingIfNeeded: stream.next()))
        if !value.isNaN { values.append(value) }
      }
      let tensor = Storage(shape: [1, values.count])
      tensor.tensor.copy(from: values)
      for variant in Engine.Kernels.supported {
        withKernels(variant) {
          let back = Storage(shape: [1, values.count])
          Weights.bf16(BFloat16Matrix(rounding: tensor.tensor)).copyRow(0, to: back.tensor)
          for (x, y) in zip(values, back.tensor.array()) {
            #expect(x.isNaN ? y.isNaN : y == nearestBF16(x), "\(variant): \(x) to \(y)")
          }
        }
      }
    }

    private func matrix(_ tensor: Tensor, _ precision: Precision) -> Matrix {
      Matrix(
        tensor.rows, tensor.columns, tensor.array().map { Double(precision == .bf16 ? nearestBF16($0) : $0) })
    }
  }
}
