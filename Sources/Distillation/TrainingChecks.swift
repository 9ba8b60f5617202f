import Diagnostics
import Divergences
import Models
import Samples
import Sequences

/// What can be known of student, teacher and data together is looked at here, before the first step.
struct TrainingChecks {
  let configuration: TrainingConfiguration
  let student: ModelConfiguration
  /// The teacher's model, where it is loaded.
  let teacher: ModelConfiguration?
  let isCached: Bool

  private var needsTeacher: Bool {
    configuration.objective.objective.needsTeacher && configuration.objective.divergenceWeight > 0
  }
  private var isLive: Bool { configuration.teacher?.live == true && teacher != nil }

  /// Refuses combinations that cannot train.
  ///
  /// - Throws: a `Diagnostic` of category `input` with the field and a remedy.
  func checkSources() throws {
    let objective = configuration.objective.objective
    // phi never falls: from 1 on every step is on student outputs, which bring their own signals.
    let usesFixedData = (configuration.replay?.sampler.initialPhi ?? 0) < 1
    guard !needsTeacher || !usesFixedData || isCached || isLive else {
      throw Diagnostic.input(
        "objective \(objective.name.rawValue) needs a teacher for the rows of data.train"
          + (teacher == nil ? "" : ": teacher.model alone gives them no signal"), field: "teacher",
        remedy: "name teacher.cache (written by `decant precompute`), or teacher.model with live: true")
    }
    guard configuration.replay != nil else { return }
    guard teacher != nil else {
      throw Diagnostic.input(
        "replay needs the teacher's model to score student outputs", field: "teacher.model",
        remedy: "name the model that the cache was made with")
    }
    guard needsTeacher else {
      throw Diagnostic.input(
        "replay with objective sft would teach the student its own outputs", field: "objective.name",
        remedy: "choose a divergence such as srkl, or remove replay")
    }
  }

  /// Refuses samples that the student or the live teacher cannot read, and prompts whose answers the teacher could not
  /// score.
  func check(_ samples: IndexedSamples, trains: Bool = true) throws {
    try samples.check(SequenceLimits(student, role: "the student"), lastIsTarget: true)
    guard trains, let teacher else { return }
    let limits = SequenceLimits(teacher, role: "the teacher")
    if isLive { try samples.check(limits, lastIsTarget: true) }
    guard let replay = configuration.replay else { return }
    do {
      try limits.check(
        answersTo: samples.index.counts.longestPrompt, newTokens: replay.decoding.maximumNewTokens,
        ceiling: student.contextLength)
    } catch var fault as Diagnostic {
      fault.field = "replay.max_new_tokens"
      throw fault
    }
  }
}
