import Diagnostics
import Fingerprints
import Generation
import JSON
import LogitCache
import Models
import Provenance
import Samples
import Sequences
import Teachers
import Telemetry
import Tensor
import TeacherSignal
import Tokenizers
import Training

/// Who teaches a run, by its configuration: who is asked about the data, and who scores what the student writes. This is the
/// one place that tells a cache from a model and a server; the steps know teachers alone.
final class TrainingTeachers {
  let configuration: TrainingConfiguration
  /// The teacher's model, where it runs beside the student, scores student outputs, or gives the student its layers.
  let loaded: LoadedModel?
  /// Folder of the cache; nil where none is read.
  let folder: String?
  /// What the teacher said of the data before; nil where there is no cache yet, or none is read.
  let cache: LogitCache?
  /// Of whoever can be asked; nil where it need not be known.
  private let tokenizer: TokenizerBundle?
  /// Whoever can be asked, from when on it is needed.
  private var opened: OpenTeacher?
  /// Who fills a cache that is not there yet.
  func teacherOfCache() throws -> any Teacher { try open().teacher }

  /// What a cache is to say that this run makes.
  private var begun: (endOfText: Int32?, chat: JSONObject?, data: TrainingData)?
  /// Bytes of a head that a method reads without the rest of its model.
  var headBytes = 0
  /// Samples of the data that the cache lacks.
  private(set) var missing = 0

  private var source: TeacherSource? { configuration.teacher?.source }
  var isServed: Bool { configuration.teacher?.served != nil }
  /// Whether the teacher runs beside the student.
  var isLive: Bool { configuration.teacher?.live == true && loaded != nil }

  /// - Parameter givesLayers: Whether the student is made of the teacher's layers.
  /// - Throws: a `Diagnostic` where a model, a server or a cache is missing, or they are of two teachers.
  init(_ configuration: TrainingConfiguration, givesLayers: Bool) throws {
    self.configuration = configuration
    let settings = configuration.teacher
    try Self.checkForms(configuration)
    let isLive = settings?.live == true
    let model = settings?.model
    guard model != nil || !givesLayers && (settings?.served != nil || !isLive && configuration.outputs == nil) else {
      throw Diagnostic.input(
        "the teacher's model is needed for student.layers, for teacher.live and to score what the student writes",
        field: "teacher.model",
        remedy: "name the teacher's model directory")
    }
    folder = isLive ? nil : settings?.cache
    if let model, isLive || configuration.outputs != nil || givesLayers {
      // One that gives a model its layers keeps them in fp32, unrounded.
      let layers = configuration.takesLayers
      let loaded = try ModelStore.load(model, trainable: false, precision: layers ? .fp32 : configuration.precision)
      loaded.model.precision = configuration.precision
      self.loaded = loaded
    } else {
      loaded = nil
    }
    // A cache that is not there yet is one to be filled, where somebody is there to fill it.
    cache = try folder.flatMap { folder in
      settings?.source != nil && !LogitCache.isThere(folder) ? nil : try LogitCache(directory: folder)
    }
    let isAsked = loaded != nil || settings?.served != nil || folder != nil && cache == nil
    tokenizer =
      try isAsked ? settings?.source.map { try TokenizerBundle(directory: ModelStore.resolve($0.tokenizer)) } : nil
  }

  /// Whoever can be asked, who is found, or loaded, the first time.
  private func open() throws -> OpenTeacher {
    if let opened { return opened }
    guard let source else { preconditionFailure("nobody can be asked") }
    let manifest = cache?.manifest
    let topK = manifest?.topK ?? configuration.teacher?.topK ?? Self.defaultTopK
    let isNew = manifest == nil
    // More samples are made as those that are there; a new cache gets what the method reads.
    let columns = try manifest.map { try ColumnSettings(of: $0.columnDeclarations) } ?? columnsOfNewCache()
    let teacher =
      try loaded.map {
        try OpenTeacher($0, topK: topK, lowering: isNew, vocabulary: manifest?.vocabularySize, columns: columns)
      }
      ?? OpenTeacher(
        source, precision: configuration.precision, topK: topK, lowering: isNew, vocabulary: manifest?.vocabularySize,
        known: manifest?.origin, columns: columns)
    opened = teacher
    return teacher
  }

  private static let defaultTopK = 64

  // MARK: What is known of them

  /// Refuses a cache of another tokenizer than the student's, or of another teacher than the one that is loaded.
  func check(against tokenizer: TokenizerBundle) throws {
    if let source, let own = self.tokenizer {
      try tokenizer.requireEqual(to: own.fingerprint, mine: "the student", theirs: "the teacher \(source.place)")
    }
    guard let cache else { return }
    let path = cache.directory
    try tokenizer.requireEqual(to: cache.manifest.tokenizer, mine: "the student", theirs: "the cache \(path)")
    if let loaded { try requireCached(loaded) }
  }

  /// Refuses a model that is not the one which filled the cache, where there is a cache.
  func requireCached(_ loaded: LoadedModel) throws {
    guard let cache, loaded.fingerprint != cache.manifest.teacher else { return }
    let path = cache.directory
    throw Diagnostic.input(
      "the cache \(path) was made by another teacher: \(cache.manifest.teacher) (\(cache.manifest.teacherPath)) there, "
        + "\(loaded.fingerprint) (\(loaded.directory)) here", field: "teacher.model",
      remedy: "name the model that the cache was made with, or run precompute with this one into another folder")
  }

  /// Refuses texts that another model than the teacher wrote, or of which nothing says who did.
  func check(writing path: String) throws {
    let field = "objective.fine_tuned_on"
    guard let writer = try OutputFile.model(of: path) else {
      throw Diagnostic.input(
        "nothing says which model wrote \(path): there is no \(path).made-by beside it", field: field,
        remedy: "write the texts with decant generate, or leave the key out, and nothing is checked")
    }
    let teacher = try cache?.manifest.teacher ?? loaded?.fingerprint ?? open().teacher.identity.model
    guard writer.content != teacher.description else { return }
    throw Diagnostic.input(
      "the student was fine-tuned on texts of another model: \(writer.content) (\(writer.place ?? "-")) wrote \(path), "
        + "\(teacher) is the teacher", field: field,
      remedy: "let one teacher write the texts and score: the advantages of another one are biased")
  }

  /// Whether somebody can be asked about the fixed data.
  var teachesData: Bool { folder != nil || isLive || isServed }

  /// What whoever scores the data, or the student's outputs, beside the steps can be asked about; nil where nobody does.
  func limits() throws -> SequenceLimits? {
    if let loaded { return SequenceLimits(loaded.model.configuration, role: "the teacher") }
    let isNeeded = isServed && (folder == nil || configuration.outputs != nil)
    return isNeeded ? try open().limits : nil
  }

  /// Whether whoever is asked about the data is asked at each step, whatever was said before.
  var isAskedAlways: Bool { isLive || isServed && folder == nil }

  /// Number of ids that the teacher's distributions are over; nil without a teacher.
  func vocabularySize() throws -> Int? {
    if let cache { return cache.manifest.vocabularySize }
    if let loaded { return loaded.model.configuration.vocabularySize }
    return source == nil || !teachesData && configuration.outputs == nil
      ? nil : try open().teacher.identity.vocabularySize
  }

  /// Bytes of parameters that whoever is asked holds in this process.
  var parameterBytes: Int { headBytes + (loaded?.model.parameters.bytes ?? opened?.teacher.parameterBytes ?? 0) }

  /// Names the teacher as what the run depends on.
  func pin(in made: inout Provenance) throws {
    if let folder {
      made.pin("teacher.cache", cache: try cache?.manifest ?? newManifest(), place: folder)
    } else if let loaded {
      made.pin("teacher", loaded.fingerprint, place: loaded.directory)
    } else if isServed {
      let identity = try open().teacher.identity
      made.pin("teacher", identity.model, place: identity.place)
    }
  }

  /// What ends a text of the teacher, first what its answers end with, which the student is to learn: what the cache
  /// says, and then what the teacher's own files do; empty where no teacher teaches.
  func taughtEnds() throws -> [Int32] {
    let cached = [cache?.manifest.endOfText].compactMap(\.self)
    guard let source, let tokenizer, teachesData || configuration.outputs != nil else { return cached }
    let format = configuration.data.format
    let ends =
      try loaded?.model.configuration.eosTokenIDs
      ?? ModelStore.ends(
        in: ModelStore.resolve(source.tokenizer), vocabularySize: tokenizer.tokenizer.vocabularySize)
    let own = try format.endOfText(tokenizer: tokenizer, ends: ends, chat: format.chatTemplate(of: tokenizer.tokenizer))
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
  ///
  /// - Throws: a `Diagnostic` where the cache that is to be filled cannot be written.
  func ofData(vocabulary: Int) throws -> (any Teacher)? {
    if let cache, missing == 0 { return CachedTeacher(cache, vocabulary: vocabulary) }
    if let folder {
      return CachedThroughTeacher(
        try writer(of: folder), asking: try open().teacher, vocabulary: vocabulary)
    }
    return isServed ? try open().teacher : live(vocabulary: vocabulary)
  }

  /// The teacher that runs beside the student; nil where signals are read or not needed.
  func live(vocabulary: Int) -> LiveTeacher? {
    guard isLive, let loaded, let tokenizer else { return nil }
    return LiveTeacher(
      loaded.model, identity: TeacherIdentity(loaded, tokenizer: tokenizer.fingerprint, vocabulary: vocabulary))
  }

  /// The teacher's say in what the student writes; nil where it has none.
  ///
  /// - Throws: a `Diagnostic` where the teacher is not here, token by token.
  func mixture(_ weight: Float) throws -> DecodingMixture? {
    guard weight > 0 else { return nil }
    guard let loaded else {
      throw Diagnostic.input(
        "the teacher has a say in each token that the student writes, and a server cannot be asked token by token",
        field: "objective.teacher_mix", remedy: "name the model as teacher.model, or set teacher_mix to 0")
    }
    return DecodingMixture(loaded.model, weight: weight)
  }

  /// Who scores what the student writes, and how many entries it keeps of a position; nil where nobody can.
  func ofOutputs(vocabulary: Int) throws -> (teacher: any Teacher, topK: Int)? {
    guard let source, loaded != nil || isServed else { return nil }
    let topK = min(configuration.teacher?.topK ?? cache?.manifest.topK ?? Self.defaultTopK, vocabulary)
    let teacher =
      try loaded.map { try OpenTeacher($0, topK: topK, vocabulary: vocabulary) }
      ?? OpenTeacher(
        source, precision: configuration.precision, topK: topK, vocabulary: vocabulary, known: cache?.manifest.origin)
    return (teacher.teacher, topK)
  }

  // MARK: The cache

  /// Finds what the cache lacks of the data: somebody has to be there to be asked about it, and to fit.
  ///
  /// - Throws: a `Diagnostic` where the cache's responses end with another token, where a sample is not there and nobody can
  ///   be asked, or whoever can is not who filled the cache or cannot read the sample.
  func check(_ data: TrainingData, endOfText: EndOfText, chat: ChatTemplate?, tokenizer: TokenizerBundle) throws {
    guard let folder else { return }
    begun = (data.hasResponses ? endOfText.appended : nil, chat?.record, data)
    guard let cache else {
      missing = data.count
      return try prepareToAsk(data, tokenizer: tokenizer)
    }
    try checkEnd(of: cache, data, endOfText, tokenizer.tokenizer)
    for samples in data.sets {
      try SampleKeys(samples.index, in: cache).forEach { number, _, key in
        guard try !cache.contains(key) else { return }
        missing += 1
        guard source == nil else { return }
        let (path, line) = try samples.index.place(of: number)
        throw Diagnostic.input(
          "this row has no record in the cache \(folder)", file: path, line: line,
          remedy:
            "run precompute on this file with the same template, train_on, max_length and end_of_text (here responses end "
            + "with \(EndOfText.name(endOfText.appended, in: tokenizer.tokenizer))), until it is complete, or name "
            + "teacher.model or teacher.url, which are asked then")
      }
    }
    if missing > 0 { try prepareToAsk(data, tokenizer: tokenizer) }
  }

  private func checkEnd(
    of cache: LogitCache, _ data: TrainingData, _ endOfText: EndOfText, _ tokenizer: Tokenizer
  ) throws {
    func name(_ id: Int32?) -> String { EndOfText.name(id, in: tokenizer) }
    guard let end = cache.manifest.endOfText, end != endOfText.appended, data.hasResponses else { return }
    throw Diagnostic.input(
      "the responses of the cache \(cache.directory) end with \(name(end)), those of this run with "
        + name(endOfText.appended), field: "data.end_of_text",
      remedy:
        "train with the template, and the data.end_of_text, that the cache was made with, or run precompute with "
        + "those of this run into another folder")
  }

  /// Makes sure, before the first step, that the teacher can be asked about what is missing.
  private func prepareToAsk(_ data: TrainingData, tokenizer: TokenizerBundle) throws {
    guard let folder, let source else { return }
    let opened = try open()
    try cache?.manifest.check(wanted: newManifest(), directory: folder)
    for samples in data.sets {
      try samples.check(opened.limits, lastIsTarget: true)
      try samples.check(targetsBelow: opened.teacher.identity.vocabularySize, tokenizer: tokenizer)
    }
    Log.info(
      "\(missing) of \(data.count) samples are not in the cache \(folder): \(source.place) is asked about each when it first "
        + "comes up, and what it says is kept there")
  }

  /// The manifest of a cache that this run fills.
  private func newManifest() throws -> CacheManifest {
    let opened = try open(), before = cache?.manifest
    let size = opened.teacher.identity.vocabularySize
    var manifest = CacheManifest(
      opened.teacher, codec: before?.codec ?? .compact,
      topK: before?.topK ?? min(configuration.teacher?.topK ?? Self.defaultTopK, size))
    manifest.endOfText = begun?.endOfText
    manifest.chat = begun?.chat
    return manifest
  }

  /// Opens the cache to be filled, and records which samples it is to have.
  private func writer(of folder: String) throws -> LogitCacheWriter {
    let writer = try LogitCacheWriter(directory: folder, manifest: newManifest())
    try writer.announceKernels()
    for samples in begun?.data.sets ?? [] { _ = try writer.planned(samples.index) }
    return writer
  }
}
