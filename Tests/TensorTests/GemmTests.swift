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

extension EngineSuite {
  @Suite("Matrix products") struct GemmTests {
    @Test(
      "products of every form and odd sizes are those of the definition",
      arguments: [
        (1, 1, 1), (1, 17, 7), (3, 5, 300), (7, 33, 64), (13, 31, 257), (17, 100, 16), (49, 65, 33), (130, 12, 513),
        (200, 700, 65), (5, 2100, 512), (64, 40, 1024),
      ])
    func definition(rows: Int, columns: Int, inner: Int) {
      for form in 0..<8 {
        let (transposeA, transposeB, independent) = (form & 1 != 0, form & 2 != 0, form & 4 != 0)
        let a = normal(transposeA ? [inner, rows] : [rows, inner], "a")
        let b = normal(transposeB ? [columns, inner] : [inner, columns], "b")
        let before = normal([rows, columns], "c")
        let (left, right) = (matrix(a.tensor), matrix(b.tensor))
        let product = (transposeA ? left.transpose : left) * (transposeB ? right.transpose : right)
        for variant in independent ? Engine.Kernels.supported : [Engine.kernels] {
          for accumulate in [false, true] {
            let c = Storage(shape: [rows, columns])
            c.tensor.copy(from: before.tensor)
            withKernels(variant) {
              Gemm.multiply(
                a.tensor, transposeA: transposeA, b.tensor, transposeB: transposeB, into: c.tensor, alpha: 0.5,
                accumulate: accumulate, independentRows: independent)
            }
            let expected = zip(product.values, before.tensor.array()).map { 0.5 * $0 + (accumulate ? Double($1) : 0) }
            expectClose(
              c.tensor.array(), expected, tolerance: 1e-6 * Double(inner).squareRoot(),
              "\(rows)x\(columns)x\(inner), form \(form), \(variant)")
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
          func product(_ range: Range<Int>) -> [Float] {
            let c = Storage(shape: [range.count, columns])
            Gemm.multiply(a.tensor.rows(range), b.tensor, transposeB: transposeB, into: c.tensor)
            return c.tensor.array()
          }
          let all = product(0..<rows)
          for count in [1, 2, 3, 6, 7, 11, 12, 13, 16, 17, 31, 33, 48, 49, 64, 100] {
            for start in [0, 1, rows - count] {
              let same = product(start..<start + count) == Array(all[start * columns..<(start + count) * columns])
              #expect(same, "\(variant), \(count) rows from \(start)")
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
        let (y, dx, dw) = (
          Storage(shape: [rows, columns]), Storage(shape: [rows, inner]), Storage(shape: [columns, inner])
        )
        Gemm.multiply(x.tensor, w.tensor, transposeB: true, into: y.tensor)
        Gemm.multiply(g.tensor, w.tensor, into: dx.tensor, independentRows: false)
        Gemm.multiply(g.tensor, transposeA: true, x.tensor, into: dw.tensor, accumulate: true)
        return [y.tensor.array(), dx.tensor.array(), dw.tensor.array()]
      }
      let first = run()
      #expect(run() == first)
      try Engine.configure(threads: 1)
      #expect(run() == first)
      try Engine.configure(threads: before)
    }

    private func matrix(_ tensor: Tensor) -> Matrix {
      Matrix(tensor.rows, tensor.columns, tensor.array().map(Double.init))
    }
  }
}
