import Configuration
import Diagnostics
import Files
import Evaluation
import Fingerprints
import Generation
import Provenance
import Methods
import Models
import Samples
import Teachers
import Tensor
import Tokenizers

/// The student of a run, its tokenizer and its teachers, as they are loaded and checked against each other.
struct TrainingParts {
  let configuration: TrainingConfiguration
  let student: any CausalLanguageModel
  /// What learns beside the student; nil where nothing does.
  let partner: (any CausalLanguageModel)?
  let teachers: TrainingTeachers
  let tokenizer: TokenizerBundle
  /// False where the student comes from a checkpoint of the run.
  private let startsAfresh: Bool

  /// - Parameter checkpoint: The student to go on from; nil makes the one the configuration asks for.
  init(_ configuration: TrainingConfiguration, checkpoint: String?) throws {
    self.configuration = configuration
    startsAfresh = checkpoint == nil
    let source = configuration.student
    let givesLayers = checkpoint == nil && configuration.takesLayers
    teachers = try TrainingTeachers(configuration, givesLayers: givesLayers)
    tokenizer = try Self.tokenizer(
      source.tokenizer ?? source.from ?? configuration.teacher?.source?.tokenizer, checkpoint: checkpoint)
    student = try Self.model(source, "student", configuration, checkpoint: checkpoint, teacher: teachers.loaded)
    student.precision = configuration.precision
    let kept = checkpoint.map { "\($0)/\(CoDistillation.partner)" }, teacher = teachers.loaded
    partner = try configuration.partner.map {
      try Self.model($0, "partner", configuration, checkpoint: kept, teacher: teacher)
    }
    partner?.precision = configuration.precision
    for (role, model) in [("student", student)] + (partner.map { [("partner", $0)] } ?? []) {
      let (tokens, ids) = (tokenizer.tokenizer.vocabularySize, model.configuration.vocabularySize)
      guard tokens <= ids else {
        throw Diagnostic.input(
          "the tokenizer has \(tokens) entries, the \(role) \(ids)", field: role,
          remedy: "give the \(role) a vocab_size of at least the tokenizer's")
      }
    }
    try teachers.check(against: tokenizer)
  }

  /// The tokenizer of the folder or file that the configuration names. A checkpoint has a copy, which stands in where that
  /// has gone; where it is still there it is read, so that a change in it is seen.
  static func tokenizer(_ folder: String?, checkpoint: String?) throws -> TokenizerBundle {
    if let checkpoint {
      let named = folder.flatMap { try? ModelStore.resolve($0) }
      let isThere = named.map(Tokenizer.isThere) ?? false
      return try TokenizerBundle(directory: isThere ? named ?? checkpoint : checkpoint)
    }
    guard let folder else {
      throw Diagnostic.input(
        "the student has no tokenizer", field: "student.tokenizer", remedy: "name the folder of its tokenizer.json")
    }
    return try TokenizerBundle(directory: try ModelStore.resolve(folder))
  }

  /// A model that is to be trained.
  ///
  /// - Parameter role: The section that says what it starts from.
  private static func model(
    _ source: StudentConfiguration, _ role: String, _ configuration: TrainingConfiguration, checkpoint: String?,
    teacher: LoadedModel?
  ) throws -> any CausalLanguageModel {
    if let existing = checkpoint ?? source.from { return try source.load(existing) }
    if let layers = source.layers, let teacher {
      return try source.shared(
        ModelStore.student(from: teacher.model, layers: layers, trainable: source.share == nil))
    }
    return try source.fresh(seed: configuration.seed, as: role) { object, stream in
      guard let share = source.share else { return try ModelStore.make(object, stream: &stream, trainable: true) }
      do {
        return try ModelStore.make(object, sharing: share.settings, stream: &stream, training: .all)
      } catch let fault as Diagnostic where fault.field == nil {
        throw fault.located(field: StudentConfiguration.shareField)
      }
    }
  }

  /// The chat template that conversations are written with: the teacher's, by what the cache keeps of it or its own files,
  /// else the student's own.
  ///
  /// - Parameter begun: The date that the run was begun with.
  func chatTemplate(begun: String?) throws -> ChatTemplate? {
    let format = configuration.data.format
    return try teachers.chatTemplate(format, begun: begun) ?? format.chatTemplate(of: tokenizer.tokenizer, begun: begun)
  }

  /// What the run is made from, by content. A student that goes on from a checkpoint no longer depends on what it began
  /// as.
  ///
  /// - Parameters:
  ///   - samples: Fingerprint of the training samples.
  ///   - validation: That of the validation samples, all of the file.
  func provenance(
    endOfText: EndOfText, samples: Fingerprint, validation: Fingerprint?
  ) throws -> Provenance {
    var made = Provenance()
    let data = configuration.data
    try made.pin("data.train", data: data.train)
    if let files = data.validation { try made.pin("data.validation", files: files) }
    made.pin("tokenizer", tokenizer.fingerprint, place: tokenizer.directory)
    try teachers.pin(in: &made)
    made.pin("end_of_text", endOfText.description)
    // The file's rows as token ids: what a template or a length decides is in here too.
    made.pin("samples", samples)
    if let validation { made.pin("samples.validation", validation) }
    made.pin(engine: Engine.variant)
    if startsAfresh {
      made.pin("student", ModelStore.fingerprint(of: student), place: configuration.student.from)
      if let partner {
        made.pin("partner", ModelStore.fingerprint(of: partner), place: configuration.partner?.from)
      }
    }
    return made
  }

  /// The part of the vocabulary that teacher, student and partner share.
  ///
  /// Vocabularies padded to different sizes share their first entries; the rest is left out: on the teacher's side it
  /// stays in the tail.
  func commonVocabulary() throws -> Int {
    let own = min(
      student.configuration.vocabularySize, partner?.configuration.vocabularySize ?? Int.max)
    return min(own, try teachers.vocabularySize() ?? own)
  }

  /// The ids that the student is not to write, for its configuration: what that names already, and tokens that the
  /// teacher's vocabulary does not reach. The tokenizer has those, so nothing but the student itself can tell later.
  func untaught(beyond vocabulary: Int) -> [Int32] {
    let tokens = Int32(clamping: min(tokenizer.tokenizer.vocabularySize, student.configuration.vocabularySize))
    let beyond = (Int32(vocabulary)..<max(tokens, Int32(vocabulary))).filter(tokenizer.tokenizer.hasToken)
    return Set(student.configuration.suppressedTokenIDs + beyond).sorted()
  }

  /// Lines for the log; `vocabulary` is the part that teacher and student share.
  func summary(samples: Int, validation: Int, vocabulary: Int, endOfText: EndOfText) throws -> [String] {
    let model = student.configuration
    let shared = student.sharing.map { ", \($0.layers) layers used twice" } ?? ""
    var lines = [
      "student: \(model.family) of \(student.parameters.values.count) parameters, vocabulary \(model.vocabularySize)\(shared)",
      "data: \(samples) samples to train on, \(validation) to validate",
    ]
    if let partner = partner?.configuration {
      lines.insert(
        "partner: \(partner.family) of \(self.partner?.parameters.values.count ?? 0) parameters, vocabulary \(partner.vocabularySize)",
        at: 1)
    }
    if let theirs = try teachers.vocabularySize(), theirs != model.vocabularySize {
      lines.append(
        "vocabularies differ: the student's \(model.vocabularySize) entries, the teacher's \(theirs); "
          + "the first \(vocabulary), which they share, are compared")
    }
    if endOfText.appended != nil {
      let ends = endOfText.stops.map { EndOfText.name($0, in: tokenizer.tokenizer) }
      let others = ends.count > 1 ? ", as a text may with \(ends.dropFirst().joined(separator: ", "))" : ""
      lines.append("a response ends with \(ends[0])\(others)")
    }
    let writable = WritableVocabulary(
      model: model, tokenizer: tokenizer.tokenizer, ends: endOfText.stops, taught: vocabulary)
    return lines + [writable.notice(model, role: "the student")].compactMap(\.self)
  }
}
