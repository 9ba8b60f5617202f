import CKernels
import Glibc
public import Models
import NN
import Tensor

/// Another model that has its say in each token: what is drawn from is weight p + (1 - weight) q, q being the model that writes
/// and p this one. MiniLLM (arXiv 2306.08543, section 2.2) lets the teacher have its say, so that a student's degenerate texts
/// are not learnt from.
public struct DecodingMixture {
  public var model: any CausalLanguageModel
  /// In 0 ... 1.
  public var weight: Float

  public init(_ model: any CausalLanguageModel, weight: Float) {
    precondition((0...1).contains(weight), "a weight of \(weight)")
    self.model = model
    self.weight = weight
  }

  /// Puts the log-probs of the mixture into the place of a row of logits. Temperature, top-k and top-p are of the mixture.
  static func mix(
    _ logits: UnsafeMutablePointer<Float>, with other: UnsafeMutablePointer<Float>, weight: Float, count: Int
  ) {
    func logSumExp(_ values: UnsafeMutablePointer<Float>) -> Float {
      var most = -Float.infinity, sum = 0.0
      for index in 0..<count { most = unsafe max(most, values[index]) }
      for index in 0..<count { sum += unsafe Double(exp(values[index] - most)) }
      return most + Float(log(sum))
    }
    let (own, others) = unsafe (logSumExp(logits), logSumExp(other))
    for index in 0..<count {
      let q = unsafe exp(logits[index] - own), p = unsafe exp(other[index] - others)
      unsafe logits[index] = log(weight * p + (1 - weight) * q)
    }
  }
}
