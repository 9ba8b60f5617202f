import Divergences
import JSON
import Methods
import Models
import Sequences
import Teachers
import Tensor
import TestSupport
import Testing

/// Distillation on mixtures of embeddings.
@Suite("MixKD") struct MixupDistillationTests {
  private let golden: EmbeddingGolden

  init() throws { golden = try EmbeddingGolden() }

  private func examples(_ mixtures: [SequenceMixture]) throws -> [Example] {
    let teacher = try golden.teacher()
    return mixtures.map { Example(Lesson($0, .dense(teacher)), isBeside: true, name: "a mixture") }
  }

  private func mixtures() -> [SequenceMixture] {
    (golden["mixtures"].arrayValue ?? []).map { mixture in
      let numbers = mixture.arrayValue ?? []
      return SequenceMixture(
        golden.sequences[numbers[0].intValue ?? 0], golden.sequences[numbers[1].intValue ?? 0],
        share: Float(numbers[2].doubleValue ?? 0))
    }
  }

  /// The loss and the gradient of a step on mixtures alone, which has so many scored positions.
  private func step(_ examples: [Example], rows: Int) throws -> (loss: StepLoss, student: any CausalLanguageModel) {
    let student = try golden.model("student")
    let method = MixupDistillation(student, .init(), vocabulary: student.configuration.vocabularySize)
    return (method.accumulate(MicroBatch(examples[...]), scale: 1 / Float(rows), in: Arena()), student)
  }

  @Test("loss and gradients on mixtures are PyTorch's") func parity() throws {
    let rows = try #require(golden["mixed_rows"].intValue)
    let (loss, student) = try step(examples(mixtures()), rows: rows)
    #expect(loss.scoredPositions == rows)
    expectClose(loss.mean("mixed"), try #require(golden["mixkd"].doubleValue), relative: 1e-5)
    for (name, expected, found) in try golden.gradients(of: "mixkd", student) {
      expectClose(found, expected, absolute: 1e-6, relative: 1e-4, name)
    }
  }

  @Test("the order of the two, with the share that goes along, changes nothing") func symmetric() throws {
    let turned = (golden["mixtures"].arrayValue ?? []).map { mixture in
      let numbers = mixture.arrayValue ?? []
      return SequenceMixture(
        golden.sequences[numbers[1].intValue ?? 0], golden.sequences[numbers[0].intValue ?? 0],
        share: 1 - Float(numbers[2].doubleValue ?? 0))
    }
    let a = try step(examples(mixtures()), rows: 1), b = try step(examples(turned), rows: 1)
    #expect(a.loss.mean("mixed") > 0)
    expectClose(a.loss.mean("mixed"), b.loss.mean("mixed"), relative: 1e-6)
    expectClose(
      a.student.parameters.gradients!.array(), b.student.parameters.gradients!.array(), absolute: 1e-5, relative: 1e-4)
  }

  @Test("a mixture that is all of the first is the sample itself, bit for bit") func whole() throws {
    let sequence = golden.sequences[0], teacher = try golden.teacher()
    let other = TokenSequence(tokenIDs: [9, 8, 7, 6, 5, 4, 3, 2], scoredPositions: sequence.scoredPositions)
    let mixed = try step(examples([SequenceMixture(sequence, other, share: 1)]), rows: 4)
    let student = try golden.model("student")
    let method = DivergenceDistillation(student, .init(.fkl), vocabulary: student.configuration.vocabularySize)
    let plain = method.accumulate(
      MicroBatch([Example(Lesson(sequence, live: teacher), name: "a sample")][...]), scale: 0.25, in: Arena())
    #expect(mixed.loss.mean("mixed") == plain.mean("divergence") && plain.mean("divergence") > 0)
    #expect(mixed.student.parameters.gradients!.array() == student.parameters.gradients!.array())
    let none = try step(examples([SequenceMixture(other, sequence, share: 0)]), rows: 4)
    #expect(none.loss.mean("mixed") == plain.mean("divergence"))
  }

  @Test("two sequences are mixed as far as both reach, and scored where either is") func cut() {
    let long = TokenSequence(tokenIDs: [1, 2, 3, 4, 5, 6], promptLength: 4)
    let short = TokenSequence(tokenIDs: [7, 8, 9, 10], promptLength: 1)
    let mixture = SequenceMixture(long, short, share: 0.5)
    #expect(mixture.sequence.tokenIDs == [1, 2, 3, 4] && mixture.others == [7, 8, 9, 10])
    #expect(Array(mixture.sequence.scoredPositions) == [0, 1, 2])
    let packed = PackedBatch([mixture, mixture])
    #expect(packed.mixture?.others == [7, 8, 9, 7, 8, 9] && packed.mixture?.shares.count == 6)
    #expect(
      SequenceMixture(long, TokenSequence(tokenIDs: [], promptLength: 0), share: 0.5).sequence.scoredPositions.isEmpty)
  }
}
