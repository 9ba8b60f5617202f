import Diagnostics
import Tensor

/// What the command line asks for.
struct Options: Sendable {
  /// Repeats of each timing; nil for five, or three for the curves.
  var repeats: Int?
  /// Threads to compute with; nil for all CPUs.
  var threads: Int?
  var precision = Precision.fp32
  var json = false
  var help = false
  /// Folder of the curves.
  var output = "docs/bench"
  /// A model folder, for the benchmarks of a real model; nil leaves these out.
  var model: String?
  /// A file of JSON strings, a line each, for the benchmark of a tokenizer; nil leaves it out.
  var texts: String?
  /// A file of chat templates with their variables, to render them instead of measuring anything.
  var rows: String?
  /// What to run, in the order given; empty for every benchmark.
  var names: [String] = []

  /// - Throws: a `Diagnostic` of category `input` for an unknown option, or a value that is missing or wrong.
  init(_ words: some Sequence<String>) throws {
    var words = Array(words)[...]
    while let word = words.popFirst() {
      switch word {
      case "--repeat": repeats = try Self.count(word, words.popFirst())
      case "--threads": threads = try Self.count(word, words.popFirst())
      case "--precision": precision = try Self.precision(words.popFirst())
      case "--model": model = try Self.value(word, words.popFirst(), remedy: "name a model folder")
      case "--texts": texts = try Self.value(word, words.popFirst(), remedy: "name a file of JSON strings, one a line")
      case "--render": rows = try Self.value(word, words.popFirst(), remedy: "name a file of rows")
      case "--output": output = try Self.value(word, words.popFirst(), remedy: "name a folder")
      case "--json": json = true
      case "--help", "-h": help = true
      case _ where word.hasPrefix("-"):
        throw Diagnostic.input("'\(word)' is no option", remedy: "see bench --help")
      default: names.append(word)
      }
    }
  }

  private static func value(_ option: String, _ word: String?, remedy: String) throws -> String {
    guard let word else { throw Diagnostic.input("has no value", field: option, remedy: remedy) }
    return word
  }

  private static func count(_ option: String, _ word: String?) throws -> Int {
    let remedy = "give a whole number of at least 1"
    let word = try value(option, word, remedy: remedy)
    guard let count = Int(word), count >= 1 else {
      throw Diagnostic.input("'\(word)' is no count", field: option, remedy: remedy)
    }
    return count
  }

  private static func precision(_ word: String?) throws -> Precision {
    let remedy = "choose from \(Precision.allCases.map(\.rawValue).joined(separator: ", "))"
    let word = try value("--precision", word, remedy: remedy)
    guard let precision = Precision(rawValue: word) else {
      throw Diagnostic.input("the engine does not compute in '\(word)'", field: "--precision", remedy: remedy)
    }
    return precision
  }

  /// The help text, with the names of the benchmarks and curves.
  static func help(benchmarks: [Benchmarks.Entry], curves: [Curve]) -> String {
    func rows(_ rows: [(String, String)]) -> String {
      rows.map { "  \($0)\(String(repeating: " ", count: max(1, 22 - $0.count)))\($1)" }.joined(separator: "\n")
    }
    return """
      usage: bench [OPTION ...] [NAME ...]
             bench [OPTION ...] curves [CURVE ...]
             bench --render FILE

      Measures this machine: medians of several repeats, after one that warms up. Results go to standard output, the
      kernels in use to standard error. Names are run in the order of this list, by default all; where work and its
      floor are both run, the share of the floor that the work reaches is printed too. A benchmark run alone says its
      peak memory.

      \(rows(benchmarks.map { ($0.name, $0.about) }))

      Curves are written as pictures, with a table of numbers beside each:

      \(rows(curves.map { ($0.name, $0.title) }))

      \(rows([
        ("--repeat N", "repeats of each timing (5; curves 3)"), ("--threads N", "threads to compute with (all CPUs)"),
        ("--precision P", "\(Precision.allCases.map(\.rawValue).joined(separator: ", ")) (fp32)"),
        ("--model DIR", "a model for model-load, model-score and tokens, which need one"),
        ("--texts FILE", "texts for tokens, which needs them: a JSON string on every line"),
        ("--render FILE", "renders the chat templates of the file's rows, and measures nothing"),
        ("--output DIR", "where curves go (docs/bench)"), ("--json", "a line of JSON for each measurement"),
        ("--help", "this text"),
      ]))
      """
  }
}
