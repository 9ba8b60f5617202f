import Divergences
import Models
import Teachers
import Tensor

/// A divergence on a step's samples, and by a weight of its own on the other forms that stand beside them, each a mean over its own
/// positions.
struct SamplesAndForms {
  private let samples: DivergenceDistillation
  private let forms: DivergenceDistillation
  /// What metrics call the part of the forms.
  private let name: String

  /// - Parameter name: What metrics call the part of the forms.
  init(
    _ student: any CausalLanguageModel, _ divergence: Divergence, divergenceWeight: Float, crossEntropyWeight: Float,
    formsWeight: Float, named name: String, vocabulary: Int
  ) {
    func part(_ divergenceWeight: Float, _ crossEntropyWeight: Float) -> DivergenceDistillation {
      var part = DivergenceDistillation.Settings(divergence)
      (part.divergenceWeight, part.crossEntropyWeight) = (divergenceWeight, crossEntropyWeight)
      return DivergenceDistillation(student, part, vocabulary: vocabulary)
    }
    samples = part(divergenceWeight, crossEntropyWeight)
    forms = part(formsWeight, 0)
    self.name = name
  }

  var trained: [TrainedParameters] { samples.trained }

  func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    var loss = (batch.isBeside ? forms : samples).accumulate(batch, scale: scale, in: arena)
    if batch.isBeside {
      loss.terms = loss.terms.filter { $0.name == "divergence" }.map { .init(name, weight: $0.weight, sum: $0.sum) }
    }
    for index in loss.terms.indices { loss.terms[index].positions = loss.scoredPositions }
    return loss
  }

  /// What a micro-batch of either takes.
  func memory(teacher: (any DenseTeacher)?) -> (samples: StepMemory, forms: StepMemory) {
    (samples.memory(teacher: teacher), forms.memory(teacher: teacher))
  }
}
