import JSON
import Models
import Optimizers
import Tensor
import TestSupport
import Testing

@Suite("Training beside PyTorch")
struct OptimizerParityTests {
  @Test("ten steps of AdamW lose what they lose in PyTorch", arguments: GoldenCase.all)
  func optimizerSteps(_ golden: GoldenCase) throws {
    let model = try golden.model(trainable: true)
    let sequences = try golden.sequences()
    func number(_ key: String) throws -> Float { Float(try golden.expectation(key).doubleValue!) }
    let betas = try golden.expectation("betas").arrayValue!.map { Float($0.doubleValue!) }
    let optimizer = AdamW(
      parameters: model.parameters, beta1: betas[0], beta2: betas[1], epsilon: 1e-8,
      weightDecay: try number("weight_decay"))
    var losses: [Double] = []
    for _ in try golden.expectation("losses").arrayValue! {
      model.parameters.gradients!.fill(0)
      losses.append(CrossEntropy(model, sequences, training: true).mean)
      optimizer.step(learningRate: try number("learning_rate"))
    }
    expectClose(losses, try golden.expectation("losses").arrayValue!.map { $0.doubleValue! }, absolute: 1e-4)
  }
}
