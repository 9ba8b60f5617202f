import Configuration
public import Divergences
public import Models
public import TeacherSignal

/// What a configuration says of a method, under `objective`: its name and its own keys with their defaults.
public protocol MethodSettings: Codable, Sendable, Equatable {
  /// The values of `objective.name` that mean this method.
  static var names: [String] { get }
  /// Which of them was given.
  var name: String { get }
  /// Whether the fixed data needs a teacher's signals.
  var needsTeacher: Bool { get }
  /// The key that makes the method need a teacher's whole distributions, which a live one has alone; nil where kept signals
  /// are enough.
  var needsWholeDistributions: String? { get }
  /// Which texts its steps have to learn from.
  var texts: TextNeed { get }
  /// The teacher's say in each token that the student writes, from 0 to below 1.
  var mixedIn: Float { get }
  /// The share of the data's positions that count as hard, those whose token the teacher finds the least probable: the method is
  /// given where it begins, as `1 - p`, in its state as ``MethodState/hardFrom``. Nil where it does not ask.
  var hardShare: Double? { get }
  /// Mixtures that each step has beside its samples; nil for none.
  var mixing: MixingNeed? { get }
  /// Twins that each step has beside its samples; nil for none.
  var twins: TwinNeed? { get }
  /// Whether slopes of the loss in the embeddings of student and teacher are compared, which have to be of one width then, and
  /// exact.
  var comparesEmbeddings: Bool { get }
  /// Whether another model learns beside the student: ``MethodParts/partner``.
  var needsPartner: Bool { get }
  /// Whether the method splits positions by how sure the teacher is of its most probable token: where it begins it is given the
  /// medians over the data, in its state as ``MethodState/sureRight`` and ``MethodState/sureWrong``.
  var asksForConfidence: Bool { get }
  /// The share of the data's positions that is left out, those with the largest anomalies: the method is given above which they
  /// begin, in its state as ``MethodState/gateAbove``. Nil where it does not ask.
  var gatedShare: Double? { get }
  /// What the method reads of the teacher beside its log-probs. The rows' cache has to have it, or a live teacher to give it.
  var columns: [ColumnNeed] { get }
  /// Whether the method needs the teacher's language-model head, to read.
  var needsTeacherHead: Bool { get }
  /// A file that has to be the teacher's own writing, as what stands beside it says; nil where there is none.
  var writtenByTeacher: String? { get }

  /// Refuses numbers that are out of bounds; decoding calls it, and whoever runs settings that were made in code.
  ///
  /// - Throws: a `Diagnostic` of category `input`, whose field is the key of one number where it is at fault alone.
  func validate() throws

  /// The method over its parts.
  func method(of parts: MethodParts) -> any Method
}

/// What a method is made of.
public struct MethodParts {
  public let student: any CausalLanguageModel
  /// Leading ids that student, teacher and data share.
  public let vocabulary: Int
  /// Seeds the random streams of whatever a method makes for itself.
  public let seed: UInt64
  /// The model that learns beside the student, where the settings ask for one.
  public let partner: (any CausalLanguageModel)?
  /// The columns that were asked for by ``MethodSettings/columns``, as the rows' cache has them; empty beside a live teacher,
  /// which gives hidden states as it goes.
  public let columns: [ColumnDeclaration]
  /// The teacher's head over those ids, to read, where ``MethodSettings/needsTeacherHead`` asks for it.
  public let teacherHead: Head?

  public init(
    _ student: any CausalLanguageModel, vocabulary: Int, seed: UInt64 = 1, partner: (any CausalLanguageModel)? = nil,
    columns: [ColumnDeclaration] = [], teacherHead: Head? = nil
  ) {
    self.student = student
    self.vocabulary = vocabulary
    self.seed = seed
    self.partner = partner
    self.columns = columns
    self.teacherHead = teacherHead
  }
}

/// A column that a method reads at each scored position.
public struct ColumnNeed: Sendable, Equatable {
  /// Its name. One that ends in `/` stands for every column whose name begins with it, of which there has to be one.
  public var name: String
  /// What it says as `columns` of `precompute`, such as `hidden: bfloat16`.
  public var remedy: String
  /// Whether a teacher that runs beside the student gives it as it goes.
  public var isLive: Bool

  public init(_ name: String, remedy: String, isLive: Bool = false) {
    self.name = name
    self.remedy = remedy
    self.isLive = isLive
  }

  /// Whether a column is, or is one of, what is needed.
  public func isMet(by column: ColumnDeclaration) -> Bool {
    column.extent == .position && (name.hasSuffix("/") ? column.name.hasPrefix(name) : column.name == name)
  }
}

/// Which texts a method's steps have to learn from.
public enum TextNeed: Sendable {
  /// Whatever the source gives.
  case any
  /// What teacher and student write to the same prompts.
  case pairs
  /// What the student has just written.
  case own
}

/// A mixture with another sample beside each sample of a step.
public struct MixingNeed: Sendable, Equatable {
  /// Shares come from Beta(beta, beta); nil for what the mixtures that are there were made with.
  public let beta: Double?
  /// Where nothing is said.
  public static let standardBeta = 0.4

  public init(beta: Double?) { self.beta = beta }
}

/// A twin beside each sample of a step: the sample with some of its tokens replaced.
public struct TwinNeed: Sendable, Equatable {
  /// The share that is replaced; nil for that of the twins that are there.
  public let rate: Double?
  /// Where nothing is said.
  public static let standardRate = 0.15

  public init(rate: Double?) { self.rate = rate }
}

extension MethodSettings {
  public var needsWholeDistributions: String? { nil }
  public var hardShare: Double? { nil }
  public var mixing: MixingNeed? { nil }
  public var twins: TwinNeed? { nil }
  public var comparesEmbeddings: Bool { false }
  public var needsPartner: Bool { false }
  public var asksForConfidence: Bool { false }
  public var writtenByTeacher: String? { nil }
  public var gatedShare: Double? { nil }
  public var columns: [ColumnNeed] { [] }
  public var needsTeacherHead: Bool { false }
  public var texts: TextNeed { .any }
  public var mixedIn: Float { 0 }
}

/// The methods there are: a new one is a file with its settings and its steps, and a row here.
private let methods: [any MethodSettings.Type] = [
  SupervisedFineTuning.Settings.self, DivergenceDistillation.Settings.self, SampledReverseKL.Settings.self,
  ContrastiveDistillation.Settings.self, MiniLLM.Settings.self, AdaptiveTeaching.Settings.self,
  CoDistillation.Settings.self, MixupDistillation.Settings.self, GradientAlignment.Settings.self,
  TeacherPredictionPretraining.Settings.self,
  OnlineDistillation.Settings.self, FeatureDistillation.Settings.self,
]

/// The `objective` of a configuration: the settings of whichever method it names.
public struct MethodChoice: Codable, Sendable, Equatable {
  public var settings: any MethodSettings

  public init(_ settings: any MethodSettings) { self.settings = settings }

  /// Every name that a configuration may give.
  public static var names: [String] { methods.flatMap { $0.names } }

  private enum CodingKeys: String, CodingKey { case name }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let name = try keys.decode(String.self, forKey: .name)
    guard let method = methods.first(where: { $0.names.contains(name) }) else {
      throw keys.fault(
        .name, "'\(name)' is none of \(Self.names.joined(separator: ", "))",
        remedy: EmbeddingChoice.names.contains(name) ? "train vectors of texts with `decant train-embedder`" : nil)
    }
    settings = try method.init(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws { try settings.encode(to: encoder) }

  public static func == (a: MethodChoice, b: MethodChoice) -> Bool {
    func equals<Settings: MethodSettings>(_ settings: Settings) -> Bool { settings == b.settings as? Settings }
    return equals(a.settings)
  }
}
