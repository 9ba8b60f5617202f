import Diagnostics
import Methods
import Models
import Samples
import Sequences
import Tensor
import Training

/// What can be known of student, teacher and data together is looked at here, before the first step.
struct TrainingChecks {
  let configuration: TrainingConfiguration
  let student: ModelConfiguration
  /// What learns beside the student; nil where nothing does.
  let partner: ModelConfiguration?
  /// What whoever can be asked takes; nil where nobody can, or need be known.
  let teacher: SequenceLimits?
  /// Whether the teacher is asked about the data at each step.
  let isAskedAlways: Bool
  /// Whether the teacher of the fixed data runs beside the student.
  let isWhole: Bool
  /// Columns of the embeddings of a teacher that is loaded.
  let teacherWidth: Int?
  /// Whether somebody can be asked about the fixed data.
  let teachesData: Bool

  private var needsTeacher: Bool { configuration.objective.settings.needsTeacher }

  /// Refuses slopes in embeddings that cannot be compared.
  private func checkEmbeddings() throws {
    let settings = configuration.objective.settings
    guard settings.comparesEmbeddings else { return }
    guard configuration.precision == .fp32 else {
      throw Diagnostic.input(
        "objective \(settings.name) takes differences that bf16 rounds away", field: "precision",
        remedy: "train in fp32, or without gradient_weight")
    }
    guard let width = teacherWidth, width != student.hiddenSize else { return }
    throw Diagnostic.input(
      "the slopes of the teacher are in embeddings of \(width) columns, the student's of \(student.hiddenSize)",
      field: "objective.gradient_weight",
      remedy: "make the student of the teacher's layers (student.layers), or set gradient_weight to 0")
  }

  /// Refuses combinations that cannot train.
  ///
  /// - Throws: a `Diagnostic` of category `input` with the field and a remedy.
  func checkSources() throws {
    // phi never falls: from 1 on every step is on student outputs, which bring their own signals.
    let sampler = configuration.sampler
    let usesFixedData = (sampler?.studentShare ?? sampler?.initialPhi ?? 0) < 1
    guard !needsTeacher || !usesFixedData || teachesData else {
      throw Diagnostic.input(
        "objective \(configuration.objective.settings.name) needs a teacher for the rows of data.train"
          + (teacher == nil ? "" : ": teacher.model alone gives them no signal"), field: "teacher",
        remedy:
          "name teacher.cache (written by `decant precompute`), teacher.model with live: true, or a server as teacher.url"
      )
    }
    if let key = configuration.objective.settings.needsWholeDistributions {
      guard isWhole, configuration.outputs == nil else {
        throw Diagnostic.input(
          "\(key) needs the teacher's whole distributions, and a cache, a server and what the student writes have the top-k alone",
          field: "objective.\(key)",
          remedy: "name teacher.model with live: true and a fixed source, or do without \(key)")
      }
    }
    try checkEmbeddings()
    if configuration.objective.settings.texts == .pairs, !configuration.isPaired {
      throw Diagnostic.input(
        "objective \(configuration.objective.settings.name) needs what teacher and student write to the same prompts",
        field: "source", remedy: "write `source: paired`, and `round` under `replay`")
    }
    if configuration.isPaired, configuration.outputs?.round == nil {
      throw Diagnostic.input(
        "what stands beside the rows is written in rounds", field: "replay.round",
        remedy: "say how many steps a round has, such as those of a pass over the rows")
    }
    if configuration.source == .onPolicy, configuration.outputs?.round != nil {
      throw Diagnostic.input(
        "what is written before its step is not on-policy", field: "replay.round",
        remedy: "leave it out, or write `source: {mixed: {student: 1}}`")
    }
    if configuration.objective.settings.texts == .own, configuration.source != .onPolicy {
      throw Diagnostic.input(
        "objective \(configuration.objective.settings.name) learns from what the student has just written alone",
        field: "source", remedy: "write `source: on-policy`")
    }
    guard configuration.outputs != nil else { return }
    let settings = configuration.objective.settings
    guard settings.mixing == nil, settings.twins == nil else {
      throw Diagnostic.input(
        "objective \(settings.name) has other forms of the rows beside them, and learns from nothing that the student writes",
        field: "source", remedy: "write `source: fixed`, and leave replay out")
    }
    guard teacher != nil else {
      throw Diagnostic.input(
        "the teacher's model is needed to score what the student writes", field: "teacher.model",
        remedy: "name the model that the cache was made with, or a server as teacher.url")
    }
    guard needsTeacher else {
      throw Diagnostic.input(
        "objective \(configuration.objective.settings.name) would teach the student what it writes itself",
        field: "objective.name", remedy: "choose a divergence such as srkl, or let the source be fixed")
    }
  }

  /// Refuses samples that the student or the live teacher cannot read, and prompts whose answers the teacher could not
  /// score.
  func check(_ samples: IndexedSamples, trains: Bool = true) throws {
    try samples.check(SequenceLimits(student, role: "the student"), lastIsTarget: true)
    guard trains else { return }
    if let partner { try samples.check(SequenceLimits(partner, role: "the partner"), lastIsTarget: true) }
    guard let limits = teacher else { return }
    if isAskedAlways { try samples.check(limits, lastIsTarget: true) }
    guard let replay = configuration.outputs else { return }
    do {
      try limits.check(
        answersTo: samples.index.counts.longestPrompt, newTokens: replay.lengths.most,
        ceiling: student.contextLength)
    } catch var fault as Diagnostic {
      fault.field = "replay.max_new_tokens"
      throw fault
    }
  }
}
