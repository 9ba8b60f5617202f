import CKernels
import COpenBLAS
import Diagnostics
import Glibc

/// What all computing shares: the threads, the kernels, the library for matrix products.
///
/// Results never depend on the number of threads: work is cut into tasks by shapes alone, and each task writes its own
/// part of the result.
public enum Engine {
  /// Prepares computing: loads OpenBLAS, chooses the kernels, starts the threads. May be called again to change the
  /// number of threads. Without it the first computation does the same, with all CPUs, and stops the process on
  /// trouble.
  ///
  /// - Parameter threads: How many threads to use; nil for all CPUs of this process. Never more than those.
  /// - Throws: a `Diagnostic` where OpenBLAS is missing or DECANT_KERNELS asks for what this CPU cannot do.
  public static func configure(threads: Int? = nil) throws {
    if let threads, threads < 1 {
      throw Diagnostic.input("cannot compute with \(threads) threads", remedy: "ask for at least 1")
    }
    try load()
    start()
    if let threads { poolResize(Int32(min(threads, Int(poolAvailableCPUs())))) }
  }

  /// Number of threads that share the work.
  public static var threads: Int {
    start()
    return Int(poolThreads())
  }

  /// Library, kernels and threads in use, such as `OpenBLAS 0.3.21 Cooperlake, kernels avx512, 2 threads`.
  public static var summary: String {
    start()
    let threads = poolThreads()
    let words = unsafe String(cString: openBLASConfiguration()).split(separator: " ").prefix(2).joined(separator: " ")
    let core = unsafe String(cString: openBLASCore())
    return "\(words) \(core), kernels \(kernels.rawValue), \(threads) \(threads == 1 ? "thread" : "threads")"
  }

  /// Runs `body` for every task from 0 and returns when all are done; tasks run on any thread in any order, so they
  /// must write apart from each other. Tasks inside tasks run on the thread of the outer one.
  public static func parallel(_ tasks: Int, _ body: (Int) -> Void) {
    start()
    withoutActuallyEscaping(body) { body in
      var body = body
      unsafe withUnsafeMutablePointer(to: &body) { pointer in
        unsafe poolRun(
          Int32(tasks),
          { context, task in
            unsafe context!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(task))
          }, pointer)
      }
    }
  }

  /// Runs `body` over the ranges of `grain` items that make up `0 ..< count`, shared among the threads.
  public static func parallel(count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    if count <= grain {
      if count > 0 { body(0..<count) }
      return
    }
    parallel((count + grain - 1) / grain) { task in
      body(task * grain..<min((task + 1) * grain, count))
    }
  }

  /// The instruction sets that kernels are compiled for.
  package enum Kernels: String, CaseIterable, Sendable {
    case baseline, avx2, avx512

    var index: Int32 { Int32(Self.allCases.firstIndex(of: self)!) }

    /// Those that this CPU runs.
    package static var supported: [Kernels] { allCases.filter { $0.index <= kernelVariantSupported() } }
  }

  /// The kernels in use. Setting them is for tests and benchmarks, while nothing else computes.
  package static var kernels: Kernels {
    get { Kernels.allCases[Int(kernelVariant())] }
    set { kernelVariantChoose(newValue.index) }
  }

  private static func load() throws {
    if let trouble = unsafe kernelVariantTrouble() {
      throw Diagnostic.input(
        unsafe String(cString: trouble), field: "DECANT_KERNELS",
        remedy: "unset it, or set it to baseline, avx2 or avx512")
    }
    if let trouble = unsafe openBLASLoad() {
      throw Diagnostic.failure(
        unsafe String(cString: trouble), remedy: "install it: apt-get install libopenblas0-pthread")
    }
  }

  private static let started: Void = {
    do { try load() } catch {
      let text = Array("\(error)\n".utf8)
      _ = unsafe text.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
      exit(1)
    }
    poolResize(poolAvailableCPUs())
  }()

  /// Makes sure that OpenBLAS and the threads are there.
  static func start() { _ = started }
}

/// The table of the kernels in use.
var kernels: TensorKernels { unsafe tensorKernels().pointee }
