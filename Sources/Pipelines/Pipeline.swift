public import Distillation

/// A pipeline: named stages that run in order, each into a folder of its own name.
///
/// ```yaml
/// output: runs/quickstart
/// seed: 1
/// stages:
///   teacher: {train: {...}}
///   cache: {precompute: {teacher: "${output}/teacher/checkpoints/last", ...}}
/// ```
///
/// `${output}`, `${seed}` and the names under `variables` are replaced everywhere in the file before it is read
/// (``PipelineFile``).
public struct Pipeline: Sendable {
  /// One named stage.
  public struct Entry: Sendable {
    public var name: String
    /// The stage's folder.
    public var folder: String
    public var stage: any Stage
  }

  /// Where every stage's folder lies.
  public var output: String
  public var seed: UInt64
  public var variables: [String: String]
  /// In file order.
  public var stages: [Entry]
}
