import Diagnostics
import Files
import Glibc
import RandomStreams
public import Testing

/// Seeded mutations against one parser or decoder: each input is taken or refused with a `Diagnostic`, soon and in little
/// memory. A trap, a hang or a kill ends the process of the tests, which says so too.
///
/// `DECANT_FUZZ` is how many mutations each target gets; with `DECANT_FUZZ_TRACE=FILE` each is written to that file, and
/// its number printed, before it is tried, so that the last one is there when the process has ended; `DECANT_FUZZ_FIRST`
/// begins with that number.
public struct Fuzz {
  /// Mutations of each target in `make test`.
  public static let usual = 200
  public static let count = Int(environment("DECANT_FUZZ") ?? "") ?? usual
  private static let first = Int(environment("DECANT_FUZZ_FIRST") ?? "") ?? 0
  private static let trace = environment("DECANT_FUZZ_TRACE")

  /// Longest time for one input before the process is ended, and before the test fails; seconds.
  private static let hang: UInt32 = 120
  private static let slow = 5.0
  /// Growth of the resident memory over all inputs of a target, bytes.
  private static let growth = 512 << 20

  /// How an input is made.
  public enum Style: Sendable {
    /// JSON or YAML: three inputs of four have other tokens, the fourth other bytes.
    case text(dictionary: [String])
    /// Bytes, the same number of them.
    case overwrite
    /// Bytes: half of the inputs have the same number of them.
    case bytes
  }

  /// Runs a target.
  ///
  /// - Parameters:
  ///   - originals: Valid inputs.
  ///   - isDear: True for a target whose inputs take long: it gets a quarter of the usual mutations in `make test`.
  ///   - body: Takes an input and its number, and throws a `Diagnostic` for one that it refuses.
  public static func run(
    _ name: String, _ originals: [[UInt8]], _ style: Style, isDear: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: ([UInt8], Int) throws -> Void
  ) {
    let count = isDear && count == usual ? usual / 4 : count
    let inputs = Inputs(originals, style, name: name)
    let before = peakMemory
    var refused = 0
    var worst = (seconds: 0.0, number: 0)
    for number in first..<(first + count) {
      let input = inputs[number]
      if let trace { keep(input, in: trace, "\(name) \(number)") }
      let start = ContinuousClock.now
      // Ends the process where the input never ends.
      alarm(hang)
      do { try body(input, number) } catch let fault as Diagnostic {
        refused += 1
        if trace != nil { print("  \(fault)") }
        #expect(!fault.message.isEmpty, sourceLocation: sourceLocation)
      } catch {
        Issue.record("\(name), mutation \(number): threw \(error)", sourceLocation: sourceLocation)
      }
      alarm(0)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      if seconds > worst.seconds { worst = (seconds, number) }
    }
    let grown = peakMemory - before
    print(
      "fuzz \(name): \(count) mutations, \(count - refused) taken, \(refused) refused, "
        + "at most \(Int(worst.seconds * 1000)) ms (number \(worst.number)), \(max(grown, 0) >> 20) MiB more")
    // Beside other tests neither says anything of this one.
    guard count > usual else { return }
    #expect(worst.seconds < slow, "\(name): mutation \(worst.number)", sourceLocation: sourceLocation)
    #expect(grown < growth, "\(name) grew by \(grown >> 20) MiB", sourceLocation: sourceLocation)
  }

  private static func keep(_ input: [UInt8], in file: String, _ title: String) {
    print(title)
    do {
      try File.remove(file)
      try AppendingFile(path: file).append(input)
    } catch { print("  cannot be kept: \(error)") }
  }

  /// Largest resident memory of this process so far, bytes.
  private static var peakMemory: Int {
    var usage = rusage()
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
  }
}

/// The inputs of a target by number: each depends on its number alone.
private struct Inputs {
  let originals: [[UInt8]]
  let style: Fuzz.Style
  let stream: RandomStream
  private let tokens: [TokenMutations]
  private let overwriting: [OverwritingMutations]

  init(_ originals: [[UInt8]], _ style: Fuzz.Style, name: String) {
    precondition(!originals.isEmpty, "no input for \(name)")
    self.originals = originals
    self.style = style
    stream = RandomStream(seed: 1, name: "fuzz \(name)")
    overwriting = originals.map(OverwritingMutations.init)
    if case .text(let dictionary) = style {
      tokens = originals.map { TokenMutations(of: $0, dictionary: dictionary) }
    } else {
      tokens = []
    }
  }

  subscript(number: Int) -> [UInt8] {
    var stream = stream.split(UInt64(number))
    let base = number / 4 % originals.count
    let isFirst = number % 4 < 2
    switch style {
    case .text where number % 4 < 3: return tokens[base].mutation(&stream)
    case .text(let dictionary): return raw(originals[base], dictionary, &stream)
    case .overwrite: return overwriting[base].mutation(&stream)
    case .bytes: return isFirst ? overwriting[base].mutation(&stream) : raw(originals[base], [], &stream)
    }
  }

  private func raw(_ bytes: [UInt8], _ dictionary: [String], _ stream: inout RandomStream) -> [UInt8] {
    var mutations = Mutations(of: bytes, count: 1, seed: stream.next(), dictionary: dictionary)
    return mutations.next() ?? bytes
  }
}
