import Diagnostics
import Fingerprints
import JSON
import LogitCache
import Models
import Provenance
import Samples
import Teachers
import Tensor
import Tokenizers
import Training

/// Who teaches a run, by its configuration: who is asked about the data, and who scores what the student writes. This is the
/// one place that tells a cache from a model; the steps know teachers alone.
struct TrainingTeachers {
  private let configuration: TrainingConfiguration
  /// The teacher's model, where it runs beside the student, scores student outputs, or gives the student its layers.
  let loaded: LoadedModel?
  /// What the teacher said of the data before; nil where it is live or not needed.
  private let cache: LogitCache?
  private let tokenizer: TokenizerBundle?

  /// - Parameter givesLayers: Whether the student is made of the teacher's layers.
  /// - Throws: a `Diagnostic` where a model or a cache is missing, or they are of two teachers.
  init(_ configuration: TrainingConfiguration, givesLayers: Bool) throws {
    self.configuration = configuration
    let isLive = configuration.teacher?.live == true
    let model = configuration.teacher?.model
    guard let model else {
      guard !isLive && configuration.replay == nil && !givesLayers else {
        throw Diagnostic.input(
          "the teacher's model is needed for student.layers, teacher.live and replay", field: "teacher.model",
          remedy: "name the teacher's model directory")
      }
      (loaded, tokenizer) = (nil, nil)
      cache = try configuration.teacher?.cache.map { try LogitCache(directory: $0) }
      return
    }
    if isLive || configuration.replay != nil || givesLayers {
      // One that gives the student its layers keeps them in fp32, unrounded.
      let layers = configuration.student.layers != nil
      let loaded = try ModelStore.load(model, trainable: false, precision: layers ? .fp32 : configuration.precision)
      loaded.model.precision = configuration.precision
      self.loaded = loaded
      tokenizer = try TokenizerBundle(directory: loaded.directory)
    } else {
      (loaded, tokenizer) = (nil, nil)
    }
    cache = isLive ? nil : try configuration.teacher?.cache.map { try LogitCache(directory: $0) }
  }

  private var isLive: Bool { configuration.teacher?.live == true && loaded != nil }

  /// Refuses a cache of another tokenizer than the student's, or of another teacher than the one that is loaded.
  func checkCache(against tokenizer: TokenizerBundle) throws {
    guard let cache else { return }
    let path = cache.directory
    try tokenizer.requireEqual(to: cache.manifest.tokenizer, mine: "the student", theirs: "the cache \(path)")
    guard let loaded, loaded.fingerprint != cache.manifest.teacher else { return }
    throw Diagnostic.input(
      "the cache \(path) was made by another teacher: \(cache.manifest.teacher) (\(cache.manifest.teacherPath)) there, "
        + "\(loaded.fingerprint) (\(loaded.directory)) here", field: "teacher.model",
      remedy: "name the model that the cache was made with, or run precompute with this one into another folder")
  }

  /// Whether somebody can be asked about the fixed data.
  var teachesData: Bool { cache != nil || isLive }

  /// Number of ids that the teacher's distributions are over; nil without a teacher.
  var vocabularySize: Int? { cache?.manifest.vocabularySize ?? loaded?.model.configuration.vocabularySize }

  /// Names the teacher as what the run depends on.
  func pin(in made: inout Provenance) {
    if let cache {
      made.pin("teacher.cache", cache: cache.manifest, place: cache.directory)
    } else if let loaded {
      made.pin("teacher", loaded.fingerprint, place: loaded.directory)
    }
  }

  /// What ends a text of the teacher, first what its answers end with, which the student is to learn: what the cache
  /// says, and then what the teacher's own files do; empty where no teacher teaches.
  func taughtEnds() throws -> [Int32] {
    let cached = [cache?.manifest.endOfText].compactMap(\.self)
    guard let loaded, let tokenizer, teachesData || configuration.replay != nil else { return cached }
    let format = configuration.data.format
    let own = try format.endOfText(
      tokenizer: tokenizer, ends: loaded.model.configuration.eosTokenIDs,
      chat: format.chatTemplate(of: tokenizer.tokenizer))
    return cached + own.stops
  }

  /// The chat template of the teacher: the one that the cache was made with, else that of the teacher's own files; nil where
  /// neither has any.
  ///
  /// - Throws: a `Diagnostic` where the settings name another date than the cache was made with.
  func chatTemplate(_ format: RowFormat, begun: String?) throws -> ChatTemplate? {
    guard format.template.mayNeedModel else { return nil }
    guard let cache, let record = cache.manifest.chat else {
      return try tokenizer.flatMap { try format.chatTemplate(of: $0.tokenizer, begun: begun) }
    }
    let path = "\(cache.directory)/manifest.json"
    let chat = try ChatTemplate(record: JSONField(.object(record), file: path), place: path)
    if let wanted = format.date, let date = chat.date, wanted != date {
      throw Diagnostic.input(
        "is \(wanted), but the cache \(cache.directory) was made with \(date)", field: "data.date",
        remedy: "leave it out, which takes the cache's, or run precompute with this one into another folder")
    }
    return chat
  }

  // MARK: Teachers

  /// Who is asked about the fixed data, with the leading ids that count; nil where nobody is.
  func ofData(vocabulary: Int) -> (any Teacher)? {
    if let cache { return CachedTeacher(cache, vocabulary: vocabulary) }
    return live(vocabulary: vocabulary)
  }

  /// The teacher that runs beside the student; nil where signals are read or not needed.
  func live(vocabulary: Int) -> LiveTeacher? {
    guard isLive, let loaded, let tokenizer else { return nil }
    return LiveTeacher(
      loaded.model, identity: TeacherIdentity(loaded, tokenizer: tokenizer.fingerprint, vocabulary: vocabulary))
  }

  /// Who scores what the student writes; nil without the teacher's model.
  func ofOutputs(vocabulary: Int) throws -> LocalTeacher? {
    guard let loaded, let tokenizer else { return nil }
    let topK = configuration.teacher?.topK ?? cache?.manifest.topK ?? 64
    return try LocalTeacher(
      loaded.model, identity: TeacherIdentity(loaded, tokenizer: tokenizer.fingerprint, vocabulary: vocabulary),
      topK: min(topK, vocabulary))
  }

  // MARK: Checking

  /// Refuses data of which the cache does not have everything.
  ///
  /// - Throws: a `Diagnostic` where the cache's responses end with another token, or a sample is not there.
  func check(_ data: TrainingData, endOfText: EndOfText, tokenizer: Tokenizer) throws {
    guard let cache else { return }
    func name(_ id: Int32?) -> String { EndOfText.name(id, in: tokenizer) }
    if let end = cache.manifest.endOfText, end != endOfText.appended, data.hasResponses {
      throw Diagnostic.input(
        "the responses of the cache \(cache.directory) end with \(name(end)), those of this run with "
          + name(endOfText.appended), field: "data.end_of_text",
        remedy:
          "train with the template, and the data.end_of_text, that the cache was made with, or run precompute with "
          + "those of this run into another folder")
    }
    for samples in data.sets {
      try SampleKeys(samples.index, in: cache).forEach { number, _, key in
        guard try !cache.contains(key) else { return }
        let (path, line) = try samples.index.place(of: number)
        throw Diagnostic.input(
          "this row has no record in the cache \(cache.directory)", file: path, line: line,
          remedy:
            "run precompute on this file with the same template, train_on, max_length and end_of_text (here responses end "
            + "with \(name(endOfText.appended))), until it is complete")
      }
    }
  }
}
