import Files
import Glibc
import JSON
import Methods
import Models
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing

@Suite("Pre-training with the teacher's predictions") struct TeacherPredictionTests {
  private static let file = "\(SharedData.packageRoot)/Tests/MethodsTests/Golden/ptp.json"
  private static let model = "\(SharedData.packageRoot)/Tests/ModelsTests/Golden/llama-tied"

  private let document: JSONValue

  init() throws { document = try JSONValue.parse(File.read(Self.file), file: Self.file) }

  private func numbers(_ value: JSONValue?) throws -> [Double] {
    try #require(value?.arrayValue).compactMap(\.doubleValue)
  }

  private func student() throws -> any CausalLanguageModel { try ModelStore.load(Self.model, trainable: true).model }

  /// The golden file's texts with its teacher, of whom no more is kept than the most probable token.
  private func examples() throws -> [Example] {
    var choices = try #require(document["choices"]?.arrayValue)[...]
    let prompts = try numbers(document["prompts"])
    return try zip(#require(document["sequences"]?.arrayValue), prompts).map { sequence, prompt in
      let sequence = TokenSequence(tokenIDs: try numbers(sequence).map { Int32($0) }, promptLength: Int(prompt))
      var signal = SparseSignal()
      for choice in choices.prefix(sequence.scoredPositions.count) {
        let choice = try numbers(choice)
        signal.append(ids: [Int32(choice[0])], logProbs: [Float(log(choice[1]))], tail: -1, target: -1)
      }
      choices = choices.dropFirst(sequence.scoredPositions.count)
      return Example(Lesson(ScoredSample(sequence, signal: signal)), name: "a text of \(sequence.count)")
    }
  }

  private func method(on student: any CausalLanguageModel, seed: UInt64 = 1) throws -> TeacherPredictionPretraining {
    var settings = TeacherPredictionPretraining.Settings()
    let bounds = try numbers(document["bounds"])
    (settings.sureRight, settings.sureWrong) = (bounds[0], bounds[1])
    let method = TeacherPredictionPretraining(student, settings, seed: seed)
    let classifier = method.trained[1].parameters
    classifier["classifier.weight"].value.copy(from: centred(seed: 7, count: 4 * student.configuration.hiddenSize))
    classifier["classifier.bias"].value.copy(from: centred(seed: 8, count: 4))
    return method
  }

  private func centred(seed: Int, count: Int) -> [Float] {
    GoldenNumbers.uniforms(seed: seed, count: count).map { Float($0 - 0.5) }
  }

  @Test("loss, classes and the gradients of student and classifier are PyTorch's") func golden() throws {
    let student = try self.student(), examples = try self.examples()
    let method = try method(on: student)
    #expect(method.trained.map(\.name) == ["student", "ptp_classifier"])
    let scored = examples.reduce(0) { $0 + $1.lesson.sequence.scoredPositions.count }
    let loss = method.accumulate(MicroBatch(examples[...]), scale: 1 / Float(scored), in: Arena())
    let classes = try numbers(document["classes"])
    func sum(_ name: String) -> Double { loss.mean(name) * Double(loss.scoredPositions) }
    expectClose(sum("class_error"), try #require(document["loss"]?.doubleValue), relative: 1e-5)
    // The last token of each text has no class.
    #expect(loss.scoredPositions == scored && classes.count == scored - examples.count)
    expectClose(sum("classified"), Double(classes.count), relative: 1e-12)
    expectClose(sum("classified_right"), try #require(document["right"]?.doubleValue), relative: 1e-12)
    #expect(loss.offender == nil)
    let gradients = try #require(document["gradients"]?.objectValue)
    #expect(gradients.count == 6)
    for (name, expected) in gradients.entries.map({ ($0.key, $0.value) }) {
      let parameters = method.trained[name.hasPrefix("classifier") ? 1 : 0].parameters
      let gradient = try #require(parameters[name].gradient).array(), numbers = try numbers(expected["numbers"])
      let norm = try #require(expected["norm"]?.doubleValue), at = try Int(#require(expected["at"]?.intValue))
      expectClose(
        gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot(), norm, relative: 1e-4, name)
      expectClose(gradient[at..<at + numbers.count].map(Double.init), numbers, absolute: 1e-4 * norm, name)
    }
  }

  @Test("the classifier begins by the seed, and what it says of nothing moves no student") func classifier() throws {
    func begun(_ seed: UInt64) throws -> [Float] {
      TeacherPredictionPretraining(try self.student(), .init(), seed: seed).trained[1].parameters.values.array()
    }
    #expect(try begun(1) == begun(1))
    #expect(try begun(1) != begun(2))
    let student = try self.student(), method = try self.method(on: student)
    method.trained[1].parameters["classifier.weight"].value.fill(0)
    _ = method.accumulate(MicroBatch(try examples()[...]), scale: 0.1, in: Arena())
    #expect(student.parameters.gradients?.array().allSatisfy { $0 == 0 } == true)
    #expect(method.trained[1].parameters.gradients?.array().contains { $0 != 0 } == true)
  }

  @Test("a class is right or wrong, and sure above the bound that goes with it, not at it") func judgements() {
    typealias Judgement = TeacherPredictionPretraining.Judgement
    for (isRight, probability, expected) in [
      (true, 0.71, Judgement.rightAndSure), (true, 0.7, .rightAndUnsure), (false, 0.71, .wrongAndSure),
      (false, 0.7, .wrongAndUnsure),
    ] {
      #expect(Judgement(isRight: isRight, probability: probability, sureFrom: 0.7) == expected)
    }
  }

  @Test("a text whose last token alone is scored has no class") func lastToken() throws {
    var signal = SparseSignal()
    signal.append(ids: [2], logProbs: [-0.1], tail: -1, target: -1)
    let sample = ScoredSample(TokenSequence(tokenIDs: [1, 2], promptLength: 1), signal: signal)
    let student = try self.student(), method = try self.method(on: student)
    let loss = method.accumulate(
      MicroBatch([Example(Lesson(sample), name: "two tokens")][...]), scale: 1, in: Arena())
    #expect(loss.scoredPositions == 1 && loss.objective == 0 && loss.mean("classified") == 0)
    #expect(student.parameters.gradients?.array().allSatisfy { $0 == 0 } == true)
  }

  @Test("numbers that are none are put to the text that they come from") func notFinite() throws {
    let examples = try self.examples(), student = try self.student()
    let method = try method(on: student)
    method.trained[1].parameters["classifier.bias"].value.copy(from: [.nan, 0, 0, 0])
    #expect(
      method.accumulate(MicroBatch(examples[...]), scale: 1, in: Arena()).offender
        == "a text of \(examples[0].lesson.sequence.count)")
    #expect(student.parameters.gradients?.array().allSatisfy { $0 == 0 } == true)
  }
}
