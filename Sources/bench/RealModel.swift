import Models
import Tensor

/// Measures a model of somebody's, from its folder.
struct RealModel {
  let folder: String
  let watch: Stopwatch
  let precision: Precision

  /// Scoring of whole batches, in tokens per second.
  func scoring(_ batch: BatchShape) throws -> Measurement {
    let model = try ModelStore.load(folder, trainable: false, precision: precision).model
    return try watch.rate("scoring with a real model, top-64, cache write", .scoring(model, batch))
  }

  /// From the files to a model that computes, the anonymous memory of the process then, and a first row.
  func loading() throws -> [Measurement] {
    var model: (any CausalLanguageModel)?
    let before = RowsWork.anonymousMemory
    let load = try Stopwatch.time { model = try ModelStore.load(folder, trainable: false, precision: precision).model }
    guard let model else { return [] }
    let held = RowsWork.anonymousMemory - before
    let work = try Work.scoring(model, BatchShape(rows: 1, length: 64))
    let first = try Stopwatch.time(work.run)
    return [
      Measurement(name: "loading a real model", value: load, unit: "s"),
      Measurement(name: "anonymous memory of a loaded model", value: Double(held) / 1_048_576, unit: "MiB"),
      Measurement(name: "a first row of 64 tokens", value: first, unit: "s"),
      Measurement(
        name: "anonymous memory after it", value: Double(RowsWork.anonymousMemory - before) / 1_048_576, unit: "MiB"
      ),
    ]
  }
}
