import JSON
import Models
import Tensor
import TestSupport
import Testing

@Suite("Models beside transformers")
struct ParityTests {
  @Test("logits are within 1e-4", arguments: GoldenCase.all)
  func logits(_ golden: GoldenCase) throws {
    let result = CrossEntropy(try golden.model(), try golden.sequences())
    expectClose(result.logits, try golden.expectedTensor("logits"), absolute: 1e-4)
    expectClose(result.mean, try golden.expectation("loss").doubleValue!, absolute: 1e-5)
  }

  @Test("every parameter's gradient is within 1e-3 of its largest element", arguments: GoldenCase.all)
  func gradients(_ golden: GoldenCase) throws {
    let model = try golden.model(trainable: true)
    _ = CrossEntropy(model, try golden.sequences(), training: true)
    for parameter in model.parameters.parameters {
      let expected = try golden.expectedTensor("gradient.\(parameter.name)")
      let scale = Double(expected.map(\.magnitude).max()!)
      // An attention layer's key bias moves no probability: its true gradient is zero, and what is left is rounding.
      expectClose(
        try #require(parameter.gradient).array(), expected, absolute: max(1e-3 * scale, 1e-7), "\(parameter.name)")
    }
  }
}
