import COneDNN
import Glibc
import Synchronization
import Tensor
import Testing

/// What oneDNN offers here.
private enum OneDNN {
  static let isThere = unsafe oneDNNLoad() == nil
  static let hasBF16 = isThere && oneDNNHasBF16() == 1
  static let absence: Comment = "oneDNN cannot be loaded: apt-get install libdnnl-dev"
}

/// A product with its operands and what it must give, all of which depend on its sizes alone.
private struct Product: Sendable {
  /// Which function computes it.
  enum Way: CaseIterable { case direct, primitive, bf16 }

  var rows: Int, columns: Int, inner: Int
  var transposeA = false, transposeB = false
  /// How much longer than its columns each row is in memory.
  var padding = 0
  var alpha: Float = 1
  var beta: Float = 0

  private func stride(_ columns: Int) -> Int { max(columns + padding, 1) }
  private var strideA: Int { stride(transposeA ? rows : inner) }
  private var strideB: Int { stride(transposeB ? inner : columns) }
  private var strideC: Int { stride(columns) }
  private var a: [Float] { normal([max((transposeA ? inner : rows) * strideA, 1)], "a").tensor.array() }
  private var b: [Float] { normal([max((transposeB ? columns : inner) * strideB, 1)], "b").tensor.array() }

  /// Expects the definition's values, and nothing written between the rows of c; c begins as NaN where it may not be
  /// read.
  func expectRight(_ ways: Way..., bf16: Bool = false, sourceLocation: SourceLocation = #_sourceLocation) {
    let (a, b) = bf16 ? (a.map(Self.rounded), b.map(Self.rounded)) : (a, b)
    var before = normal([max(rows * strideC, 1)], "c").tensor.array()
    var expected = before.map(Double.init)
    for row in 0..<rows {
      for column in 0..<columns {
        var sum = 0.0
        for i in 0..<inner {
          let left = transposeA ? a[i * strideA + row] : a[row * strideA + i]
          let right = transposeB ? b[column * strideB + i] : b[i * strideB + column]
          sum += Double(left) * Double(right)
        }
        let index = row * strideC + column
        expected[index] = Double(alpha) * sum + (beta == 0 ? 0 : Double(beta) * Double(before[index]))
        if beta == 0 { before[index] = .nan }
      }
    }
    for way in ways {
      var c = before
      compute(way, a, b, &c)
      expectClose(
        c, expected, tolerance: 1e-6 * Double(max(inner, 1)).squareRoot(), "\(way), \(self)",
        sourceLocation: sourceLocation)
    }
  }

  private func compute(_ way: Way, _ a: [Float], _ b: [Float], _ c: inout [Float]) {
    let (m, n, k) = (Int32(rows), Int32(columns), Int32(inner))
    let (tA, tB): (Int32, Int32) = (transposeA ? 1 : 0, transposeB ? 1 : 0)
    let (sA, sB, sC) = (Int32(strideA), Int32(strideB), Int32(strideC))
    switch way {
    case .direct: unsafe oneDNNMultiply(tA, tB, m, n, k, alpha, a, sA, b, sB, beta, &c, sC)
    case .primitive: unsafe oneDNNMultiplyByPrimitive(tA, tB, m, n, k, alpha, a, sA, b, sB, beta, &c, sC)
    case .bf16:
      let (a, b) = (a.map(Self.upperHalf), b.map(Self.upperHalf))
      unsafe oneDNNMultiplyBF16(tA, tB, m, n, k, alpha, a, sA, b, sB, beta, &c, sC)
    }
  }

  /// The nearest bf16 number, ties to even.
  private static func rounded(_ value: Float) -> Float {
    let bits = value.bitPattern
    return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
  }

  private static func upperHalf(_ value: Float) -> UInt16 { UInt16(value.bitPattern >> 16) }

  /// The product in every form: transposed or not, with rows that are longer than their columns, scaled, added to c.
  var forms: [Product] {
    (0..<24).map { form in
      var product = self
      (product.transposeA, product.transposeB) = (form & 1 != 0, form & 2 != 0)
      product.padding = form & 4 != 0 ? 3 : 0
      (product.alpha, product.beta) = [(1, 0), (0.5, 1), (-2, 0.25)][form / 8]
      return product
    }
  }
}

/// Runs `body(0)` to `body(count - 1)` at once, each on a new thread that ends afterwards.
private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Box: Sendable {
    let body: @Sendable (Int) -> Void
    let next = Atomic(0)
    init(_ body: @escaping @Sendable (Int) -> Void) { self.body = body }
  }
  let box = Box(body)
  let threads = (0..<count).map { _ in
    var thread = pthread_t()
    let code = unsafe pthread_create(
      &thread, nil,
      { argument in
        let box = unsafe Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
        box.body(box.next.add(1, ordering: .relaxed).oldValue)
        return nil
      }, Unmanaged.passRetained(box).toOpaque())
    precondition(code == 0, "pthread_create: \(code)")
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
}

/// Threads of this process.
private func threadCount() -> Int {
  let folder = unsafe opendir("/proc/self/task")!
  defer { unsafe closedir(folder) }
  var count = -2  // . and ..
  while unsafe readdir(folder) != nil { count += 1 }
  return count
}

@Suite("oneDNN", .enabled(if: OneDNN.isThere, OneDNN.absence)) struct OneDNNTests {
  fileprivate static let sizes = [
    (1, 1, 1), (1, 17, 7), (5, 1, 3), (7, 3, 1), (1, 1, 64), (13, 31, 257), (64, 64, 64), (130, 12, 513),
    (61, 211, 47), (3, 50257, 5), (0, 4, 3), (4, 0, 3), (4, 5, 0),
  ]

  @Test("fp32 products of every form and odd sizes are those of the definition, both ways", arguments: sizes)
  func definition(rows: Int, columns: Int, inner: Int) {
    for product in Product(rows: rows, columns: columns, inner: inner).forms {
      product.expectRight(.direct, .primitive)
    }
  }

  @Test(
    "bf16 products of every form and odd sizes are those of the definition",
    .enabled(if: OneDNN.hasBF16, "oneDNN makes no bf16 products on this CPU"), arguments: sizes)
  func definitionBF16(rows: Int, columns: Int, inner: Int) {
    for product in Product(rows: rows, columns: columns, inner: inner).forms { product.expectRight(.bf16, bf16: true) }
  }

  @Test("threads compute the same and other products at once, whatever the others keep") func threads() {
    let products = Self.sizes.prefix(9).flatMap { Product(rows: $0, columns: $1, inner: $2).forms }
    onThreads(4) { thread in
      // Two threads each in step, so that they meet in the same product.
      for index in products.indices {
        let product = products[thread < 2 ? index : products.count - 1 - index]
        product.expectRight(.primitive, .direct, .primitive)
        if OneDNN.hasBF16 { product.expectRight(.bf16, bf16: true) }
      }
    }
  }

  @Test("a thread keeps 128 primitives, makes the others anew, and shares none") func keeping() {
    onThreads(1) { _ in
      #expect(oneDNNKeptPrimitives() == 0)
      for round in 1...2 {
        for size in 1...100 { Product(rows: size, columns: 3, inner: 2).expectRight(.primitive) }
        #expect(oneDNNKeptPrimitives() == 100, "round \(round)")
      }
      for size in 1...200 { Product(rows: 2, columns: size, inner: 3, beta: 1).expectRight(.primitive) }
      #expect(oneDNNKeptPrimitives() == 128)
      for size in 1...100 { Product(rows: size, columns: 3, inner: 2).expectRight(.primitive) }
      #expect(oneDNNKeptPrimitives() == 128)
    }
  }

  @Test("products run on the calling thread alone, whatever OpenMP is told") func noThreads() async {
    await #expect(processExitsWith: .success) {
      unsafe setenv("OMP_NUM_THREADS", "4", 1)
      precondition(unsafe oneDNNLoad() == nil)
      let product = Product(rows: 256, columns: 256, inner: 256)
      precondition(Engine.threads >= 1)
      let before = threadCount()
      product.expectRight(.direct, .primitive)
      precondition(threadCount() == before, "\(threadCount()) threads after products, \(before) before")
      Engine.parallel(8) { _ in product.expectRight(.direct, .primitive) }
      precondition(threadCount() == before, "\(threadCount()) threads after tasks, \(before) before")
      onThreads(2) { _ in
        product.expectRight(.primitive, .direct)
        precondition(threadCount() <= before + 2, "\(threadCount()) threads with two more, \(before) before")
      }
    }
  }

  @Test("version and instruction set are named") func names() {
    #expect(unsafe String(cString: oneDNNVersion()).wholeMatch(of: /2\.\d+\.\d+/) != nil)
    let known = [
      "sse41", "avx", "avx2", "avx2_vnni", "avx512_core", "avx512_core_vnni", "avx512_core_bf16", "avx512_core_amx",
      "other",
    ]
    #expect(known.contains(unsafe String(cString: oneDNNInstructionSet())))
  }
}
