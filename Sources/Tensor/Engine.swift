import CKernels
import Diagnostics
import Files
import Glibc
import Synchronization

/// What all computing shares: the threads, the kernels, what computes matrix products.
///
/// Results never depend on the number of threads: work is cut into tasks by shapes alone, and each task writes its own
/// part of the result.
public enum Engine {
  /// Prepares computing: chooses the kernels and what computes matrix products, starts the threads. May be called again
  /// to change the number of threads. Without it the first computation does the same, with all CPUs, and stops the
  /// process on trouble.
  ///
  /// - Parameter threads: How many threads to use; nil for all CPUs of this process. Never more than those.
  /// - Throws: a `Diagnostic` where DECANT_KERNELS or DECANT_MATRIX_LIBRARY asks for what this machine does not have.
  public static func configure(threads: Int? = nil) throws {
    if let threads, threads < 1 {
      throw Diagnostic.input("cannot compute with \(threads) threads", remedy: "ask for at least 1")
    }
    try load()
    start()
    if let threads { poolResize(Int32(min(threads, availableCPUs))) }
  }

  /// Number of threads that share the work.
  public static var threads: Int {
    start()
    return Int(poolThreads())
  }

  /// What decides the bits of results beside the input: what computes products, and the kernels in use, such as
  /// `own matrix kernels, avx512`.
  public static var variant: String {
    start()
    return "\(matrixLibrary.description), \(kernels.rawValue)"
  }

  /// What computes products, kernels and threads in use, such as `own matrix kernels, avx512, 2 threads`.
  public static var summary: String {
    let variant = variant
    let threads = poolThreads()
    return "\(variant), \(threads) \(threads == 1 ? "thread" : "threads")"
  }

  /// How this machine multiplies in a precision, such as `bf16 (the CPU's own multiply-adds)`.
  public static func describe(_ precision: Precision) -> String {
    start()
    guard precision == .bf16 else { return "fp32" }
    guard matrixLibrary(for: .bf16) == .decant else { return "bf16" }
    return kernels == .avx512bf16
      ? "bf16 (the CPU's own multiply-adds)"
      : "bf16 (in fp32 multiply-adds, for lack of the CPU's own: half the memory, the time of fp32)"
  }

  /// What computes matrix products: the engine's own kernels, or what DECANT_MATRIX_LIBRARY names. Setting it is for
  /// tests and benchmarks, while nothing else computes.
  public package(set) static var matrixLibrary: MatrixLibrary {
    get { chosenLibrary.withLock { $0 } }
    set { chosenLibrary.withLock { $0 = newValue } }
  }

  /// What computes products of that precision: the engine's own kernels also where the library chosen does not.
  public static func matrixLibrary(for precision: Precision) -> MatrixLibrary {
    let library = matrixLibrary
    return library.supports(precision) ? library : .decant
  }

  private static let chosenLibrary = Mutex(askedLibrary.library ?? .decant)

  private static let askedLibrary: (library: MatrixLibrary?, trouble: Diagnostic?) = {
    guard let asked = unsafe getenv("DECANT_MATRIX_LIBRARY").map({ unsafe String(cString: $0) }), !asked.isEmpty else {
      return (nil, nil)
    }
    let names = MatrixLibrary.available.map(\.rawValue).joined(separator: " or ")
    func refusal(_ why: String) -> Diagnostic {
      Diagnostic.input(why, field: "DECANT_MATRIX_LIBRARY", remedy: "unset it, or set it to \(names)")
    }
    guard let library = MatrixLibrary(rawValue: asked) else { return (nil, refusal("'\(asked)' is no matrix library")) }
    if let trouble = library.trouble { return (nil, refusal(trouble)) }
    return (library, nil)
  }()

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
    case baseline, avx2, avx512, avx512bf16

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
        remedy: "unset it, or set it to baseline, avx2, avx512 or avx512bf16")
    }
    if let trouble = askedLibrary.trouble { throw trouble }
  }

  private static let started: Void = {
    do { try load() } catch {
      ((error as? Diagnostic) ?? .failure("\(error)")).endProcess()
    }
    poolResize(Int32(availableCPUs))
  }()

  /// CPUs this process may use: its affinity mask, limited by the quota of its control groups.
  private static var availableCPUs: Int { min(Int(poolAffinityCPUs()), ControlGroups().cpus ?? .max) }

  /// Makes sure that the threads are there.
  static func start() { _ = started }
}

/// The table of the kernels in use.
var kernels: TensorKernels { unsafe tensorKernels().pointee }
