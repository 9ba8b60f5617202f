import Files
import Samples
import Telemetry
import Training

/// The files of a teacher's vectors that a run learns from: written once, before the first step, where the teacher's model is named.
struct TeacherVectorFiles {
  /// Of the training rows; nil where there is no teacher.
  private(set) var train: String?
  /// Of the validation rows; nil where there are none.
  private(set) var validation: String?

  /// Writes what is missing, going on with what was begun.
  ///
  /// - Throws: `Interrupted` where a signal came before all were written; a `Diagnostic` as `TextEmbedding.run()`, above all where
  ///   they were begun with another teacher or other rows.
  init(_ configuration: EmbedderConfiguration, in folder: RunFolder) throws {
    guard let teacher = configuration.teacher else { return }
    train = try Self.written(
      configuration, to: teacher.vectors ?? "\(folder.teacherVectors)/train.safetensors", of: configuration.data.train)
    validation = try configuration.data.validation.map {
      try Self.written(
        configuration, to: teacher.validationVectors ?? "\(folder.teacherVectors)/validation.safetensors", of: $0)
    }
  }

  private static func written(
    _ configuration: EmbedderConfiguration, to output: String, of rows: DataFiles
  ) throws -> String {
    guard let teacher = configuration.teacher, let model = teacher.model else { return output }
    try File.makeFolder(File.folder(of: output))
    var stage = TextEmbedding(model: model, data: rows, format: configuration.data.format, output: output)
    (stage.pooling, stage.normalize, stage.precision) = (teacher.pooling, teacher.normalize, configuration.precision)
    if try stage.run().interrupted { throw Interrupted() }
    return output
  }
}

extension RunFolder {
  /// Where the teacher's vectors of the rows lie, where no other place is named.
  var teacherVectors: String { "\(path)/teacher" }
}
