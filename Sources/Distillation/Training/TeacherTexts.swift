import Diagnostics
import Files
import Samples
import Telemetry
import Training

/// The texts of ``DataSource/teacher``: the teacher answers the prompts of every data set of a run, and what it wrote takes the
/// place of the rows. They lie in the run's folder as `decant generate` writes them, each file with what it was made from beside
/// it; a run that was cut off goes on with them.
struct TeacherTexts {
  let configuration: TrainingConfiguration
  let folder: RunFolder

  /// The configuration with the teacher's texts in the place of the rows; itself where the source is another one.
  ///
  /// - Throws: `Interrupted` where a signal came before all were written; a `Diagnostic` as `BatchInference.run()`, and where there
  ///   is no model to write them.
  func written() throws -> TrainingConfiguration {
    guard configuration.source == .teacher else { return configuration }
    guard let teacher = configuration.teacher?.model else {
      throw Diagnostic.input(
        "source teacher needs the teacher's model, which writes the texts", field: "teacher.model",
        remedy: "name it, or let decant generate write them elsewhere and name its output as data.train")
    }
    try File.makeFolder(folder.teacherTexts)
    var changed = configuration
    changed.data.train = try WeightedData(
      configuration.data.train.parts.enumerated().map { number, part in
        let output = "\(folder.teacherTexts)/texts-\(number + 1).jsonl"
        try write(output, to: part.path, by: teacher)
        return WeightedData.Part(path: DataFiles(output), weight: part.weight)
      })
    return changed
  }

  private func write(_ output: String, to prompts: DataFiles, by teacher: String) throws {
    var stage = BatchInference(
      model: teacher, data: prompts, format: configuration.data.format, output: output,
      decoding: configuration.replay?.decoding ?? DecodingConfiguration())
    stage.seed = configuration.seed
    stage.precision = configuration.precision
    if try stage.run().interrupted { throw Interrupted() }
  }
}
