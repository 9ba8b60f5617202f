import Diagnostics
import Glibc
import JSON
import Telemetry
import Tensor

/// Prints the table of benchmarks: medians of several repeats on this machine.
///
/// `bench [--repeat N] [--threads N] [--json] [NAME ...]`, names being `step`, `live`, `score`, `decode` and `cache`.
@main
enum Bench {
  static func main() {
    var words = CommandLine.arguments.dropFirst()
    func option(_ name: String) -> Int? {
      guard let index = words.firstIndex(of: name), index + 1 < words.endIndex else { return nil }
      defer { words.removeSubrange(index...index + 1) }
      return Int(words[index + 1])
    }
    let repeats = option("--repeat") ?? 5
    let threads = option("--threads")
    let json = words.contains("--json")
    let names = words.filter { $0 != "--json" }
    do {
      try Engine.configure(threads: threads)
      Log.info(Engine.summary)
      try run(Benchmarks(watch: Stopwatch(repeats: repeats)), names: Array(names), json: json)
    } catch {
      Log.warning("\(error)")
      exit((error as? Diagnostic)?.exitStatus ?? 1)
    }
  }

  private static func run(_ benchmarks: Benchmarks, names: [String], json: Bool) throws {
    let table: [(String, () throws -> [Measurement])] = [
      ("step", { try benchmarks.cachedStep() }), ("live", { try benchmarks.liveStep() }),
      ("score", { try benchmarks.scoring() }),
      ("decode", { try benchmarks.decoding(batch: 8) + benchmarks.decoding(batch: 64) }),
      ("cache", { try benchmarks.cache() }),
    ]
    if let unknown = names.first(where: { name in !table.contains { $0.0 == name } }) {
      throw Diagnostic.input(
        "'\(unknown)' is no benchmark", remedy: "choose from \(table.map(\.0).joined(separator: ", "))")
    }
    for (name, measure) in table where names.isEmpty || names.contains(name) {
      var found = try measure()
      // The peak is the whole process's: it belongs to a benchmark only where that ran alone.
      if names == [name] { found.append(Benchmarks.peakMemory(name)) }
      for measurement in found { print(json ? measurement.json.text() : line(measurement)) }
    }
  }

  private static func line(_ measurement: Measurement) -> String {
    let name = measurement.name + String(repeating: " ", count: max(1, 42 - measurement.name.count))
    return name + Readable.decimals(measurement.value, measurement.value < 10 ? 3 : 1) + " " + measurement.unit
  }
}
