import Diagnostics
import Distillation
import Evaluation
import Files
import FoundationEssentials
import Telemetry
import Training

/// Several models measured on the same rows: the table a pipeline ends with.
public struct Comparison: Sendable {
  /// One model's figures.
  public struct Row: Sendable, Codable, Equatable {
    public var name: String
    public var model: String
    /// Nats per response token.
    public var nll: Double
    /// Of greedy responses, where they are asked for; between 0 and 1.
    public var rougeL: Double?
    public var exactMatch: Double?
    /// KL(teacher, model) and KL(model, teacher) over the whole vocabulary, nats per response token; nil for the teacher.
    public var forwardKL: Double?
    public var reverseKL: Double?
    /// Shares of training steps by source; nil for a model that no run of Decant made.
    public var sources: [String: Double]?
  }

  let configuration: ComparisonConfiguration

  public init(_ configuration: ComparisonConfiguration) { self.configuration = configuration }

  /// Evaluates the teacher and every model, and writes `table.json` and `table.txt` into a folder.
  ///
  /// - Parameter footer: Lines for below the table.
  /// - Returns: the table as text.
  public func run(into folder: String, footer: [String]) throws -> String {
    let entries = [ComparisonConfiguration.Entry(name: "teacher", model: configuration.teacher)] + configuration.models
    let progress = Progress("compare", total: entries.count, unit: "models")
    let rows = try entries.enumerated().map { index, entry in
      let row = try measure(entry, isTeacher: index == 0)
      progress.advance()
      return row
    }
    progress.finish()
    try File.makeFolder(folder)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try File.write(Array(try encoder.encode(rows)) + [UInt8(ascii: "\n")], to: "\(folder)/table.json")
    let text = ([Self.table(rows)] + footer).joined(separator: "\n") + "\n"
    try File.write(Array(text.utf8), to: "\(folder)/table.txt")
    return text
  }

  private func measure(_ entry: ComparisonConfiguration.Entry, isTeacher: Bool) throws -> Row {
    var evaluation = ModelEvaluation(model: entry.model, data: configuration.data, format: configuration.format)
    evaluation.teacher = isTeacher ? nil : configuration.teacher
    evaluation.maximumNewTokens = configuration.maximumNewTokens
    evaluation.limit = configuration.limit
    let report = try evaluation.run()
    return Row(
      name: entry.name, model: entry.model, nll: report.nll, rougeL: report.responses?.rougeL,
      exactMatch: report.responses?.exactMatch, forwardKL: report.teacher?.forwardKL,
      reverseKL: report.teacher?.reverseKL,
      sources: try RunFolder.sourceShares(checkpoint: entry.model))
  }

  /// The rows as aligned columns.
  static func table(_ rows: [Row]) -> String {
    let header = [
      "model", "nll", "ROUGE-L", "exact match", "KL(t,s)", "KL(s,t)", "data/fresh/replay",
    ]
    let cells = rows.map { row in
      [
        row.name, decimals(row.nll), decimals(row.rougeL), decimals(row.exactMatch), decimals(row.forwardKL),
        decimals(row.reverseKL),
        row.sources.map { shares in
          BatchSource.allCases.map { "\(Int((100 * (shares[$0.rawValue] ?? 0)).rounded()))" }.joined(separator: "/")
            + " %"
        } ?? "",
      ]
    }
    let widths = header.indices.map { column in ([header] + cells).map { $0[column].count }.max() ?? 0 }
    return ([header] + cells).map { line in
      zip(line, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + padding : padding + cell.0
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  private static func decimals(_ value: Double?) -> String { value.map { Readable.decimals($0, 4) } ?? "-" }
}
