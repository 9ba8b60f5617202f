import Diagnostics
import Glibc
import JSON
import Telemetry
import Tensor

/// Prints the table of benchmarks, or draws the growth curves; `bench --help` says how.
@main
enum Bench {
  static func main() {
    do {
      if CommandLine.arguments.dropFirst().first == "token-ids" {
        return try TokenIDs.write(CommandLine.arguments.dropFirst(2))
      }
      let options = try Options(CommandLine.arguments.dropFirst())
      let benchmarks = Benchmarks(
        watch: Stopwatch(repeats: options.repeats ?? 5), precision: options.precision, model: options.model,
        texts: options.texts)
      if options.help { return print(Options.help(benchmarks: benchmarks.table, curves: Curve.all)) }
      if let rows = options.rows { return try TemplateRows(rows).render() }
      try Engine.configure(threads: options.threads)
      Log.info(Engine.summary)
      if options.names.first == "curves" {
        try draw(options)
      } else {
        try run(benchmarks.table, options)
      }
    } catch {
      Log.warning("\(error)")
      exit((error as? Diagnostic)?.exitStatus ?? 1)
    }
  }

  /// Runs the benchmarks asked for, each floor after its work.
  private static func run(_ table: [Benchmarks.Entry], _ options: Options) throws {
    if options.names.contains("curves") {
      throw Diagnostic.input("curves are drawn by themselves", remedy: "put them first: bench curves")
    }
    try check(options.names, against: table.map(\.name), what: "benchmark")
    var rates: [String: Double] = [:]
    for entry in table where options.names.isEmpty || options.names.contains(entry.name) {
      for measurement in try entry.measure() {
        rates[measurement.name] = measurement.value
        show(measurement, options)
        guard let work = measurement.floorOf, let rate = rates[work] else { continue }
        show(
          Measurement(name: "share of the floor, \(work)", value: rate / measurement.value, unit: "of the rate"),
          options)
      }
      // The peak is the whole process's: it belongs to a benchmark only where that ran alone.
      if options.names == [entry.name] { show(Benchmarks.peakMemory(entry.name), options) }
    }
  }

  /// Measures and draws the curves asked for.
  private static func draw(_ options: Options) throws {
    let names = options.names.dropFirst()
    guard options.precision == .fp32 else {
      throw Diagnostic.input("curves are drawn in fp32", field: "--precision", remedy: "leave it out")
    }
    try check(names, against: Curve.all.map(\.name), what: "curve")
    let gallery = Gallery(folder: options.output, watch: Stopwatch(repeats: options.repeats ?? 3), options: options)
    for curve in Curve.all where names.isEmpty || names.contains(curve.name) {
      try gallery.draw(curve) { show($0, options) }
    }
    if names.isEmpty { try gallery.describe(Curve.all) }
  }

  private static func check(_ names: some Sequence<String>, against known: [String], what: String) throws {
    guard let unknown = names.first(where: { !known.contains($0) }) else { return }
    throw Diagnostic.input("'\(unknown)' is no \(what)", remedy: "choose from \(known.joined(separator: ", "))")
  }

  /// Prints at once, also into a pipe: a run takes minutes.
  private static func show(_ measurement: Measurement, _ options: Options) {
    print(options.json ? measurement.json(options).text() : measurement.line)
    fflush(nil)
  }
}
