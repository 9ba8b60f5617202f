import Diagnostics
import Divergences
import LogitCache
import Methods
import Models
import Teachers
import TeacherSignal
import Tensor

/// What methods read of a teacher beside its log-probs.
extension TrainingTeachers {
  /// Refuses, before anybody is asked anything, a run in which nobody gives the columns that the method reads.
  ///
  /// - Throws: a `Diagnostic` that names the column, and what would give it.
  func checkColumns() throws {
    guard let first = settings.columns.first else { return }
    guard configuration.outputs == nil else {
      throw refusal(
        of: first, "and what the student writes is scored without it", field: "source",
        remedy: "write `source: fixed`, and name a cache of the rows")
    }
    if isLive {
      guard let other = settings.columns.first(where: { !$0.isLive }) else { return }
      throw refusal(of: other, "which a live teacher does not give", field: "teacher.live", remedy: Self.remedy(other))
    }
    guard cache != nil || !isServed else {
      throw refusal(
        of: first, "and a server says log-probs alone", field: "teacher.url",
        remedy: "name a model that runs here as teacher.model")
    }
    guard let folder else { return }
    for need in settings.columns where !gives(need) {
      throw refusal(
        of: need, "which the cache \(folder) does not have", field: "teacher.cache", remedy: Self.remedy(need))
    }
  }

  private func gives(_ need: ColumnNeed) -> Bool {
    guard let cache else { return columnsOfNewCache().names.contains(need.name) }
    return cache.manifest.columnDeclarations.contains(where: need.isMet)
  }

  /// The columns that the method reads, as the cache of the rows has them; none beside a live teacher, which gives what it is asked
  /// for as it goes.
  func columns() throws -> [ColumnDeclaration] {
    let needs = settings.columns
    guard !needs.isEmpty, folder != nil else { return [] }
    let declared = try cache?.manifest.columnDeclarations ?? teacherOfCache().columns
    return declared.filter { column in needs.contains { $0.isMet(by: column) } }
  }

  private var settings: any MethodSettings { configuration.objective.settings }

  private func refusal(of need: ColumnNeed, _ what: String, field: String, remedy: String) -> Diagnostic {
    .input(
      "objective \(settings.name) reads the column \(need.name) at each position, \(what)", field: field, remedy: remedy
    )
  }

  private static func remedy(_ need: ColumnNeed) -> String {
    "name a cache that precompute wrote with `columns: {\(need.remedy)}`"
  }

  /// What a cache is to have that this run makes: what the method reads and a teacher can give without being told more.
  func columnsOfNewCache() -> ColumnSettings {
    var columns = ColumnSettings()
    if settings.columns.contains(where: { $0.name == "hidden" }) { columns.hidden = .bfloat16 }
    return columns
  }

  /// The teacher's head over the leading ids that count, in memory of its own where the model itself is not needed.
  ///
  /// - Throws: a `Diagnostic` where there is no model to read it from, it is another one than filled the cache, or its logits are no
  ///   product of head and states alone.
  func head(vocabulary: Int) throws -> Head {
    guard let path = configuration.teacher?.model else {
      throw Diagnostic.input(
        "objective \(settings.name) reads the teacher's language-model head", field: "teacher.model",
        remedy: "name the model that the cache was made with")
    }
    let model: LoadedModel
    if let loaded {
      model = loaded
    } else {
      model = try ModelStore.load(path, trainable: false, precision: configuration.precision)
      try requireCached(model)
    }
    guard model.model.head.softCap == nil else {
      throw Diagnostic.input(
        "objective \(settings.name) changes the teacher's logits by its head, and those of \(path) are softly capped",
        field: "teacher.model", remedy: "use a divergence alone beside it")
    }
    let head = Head(reading: model.model.head, vocabulary: vocabulary, precision: configuration.precision)
    guard loaded == nil else { return head }
    headBytes = head.weights.bytes
    return head.copied()
  }
}
