public import Fingerprints

/// What the teacher was given, where that is not simply the sample's own tokens: part of what a sample is keyed by.
public enum SampleInput: Sendable, Equatable {
  /// The tokens of the sequence.
  case tokens
  /// A mixture of two samples' embeddings, position by position: `share` of the first and 1 - `share` of the second
  /// (MixKD, arXiv 2011.00593, equation 2). The sequence is the first one's. Samples are named by their keys.
  case mixture(first: Fingerprint, second: Fingerprint, share: Float)
  /// The sample of a key with its embeddings perturbed: `size` is the norm of the perturbation, `seed` that of the random
  /// stream it came from.
  case twin(of: Fingerprint, perturbation: String, size: Float, seed: UInt64)

  /// Most bytes of a perturbation's name.
  static let longestName = 1 << 10

  /// Whether a reader takes it: its numbers are finite and its name is not too long.
  var isSound: Bool {
    switch self {
    case .tokens: true
    case .mixture(_, _, let share): share.isFinite
    case .twin(_, let perturbation, let size, _): size.isFinite && perturbation.utf8.count <= Self.longestName
    }
  }

  /// The content that enters a sample's key; empty for plain tokens.
  package var keyBytes: [UInt8] {
    switch self {
    case .tokens: []
    case .mixture(let first, let second, let share): Array("mixture \(first) \(second) \(share.bitPattern)\n".utf8)
    case .twin(let of, let perturbation, let size, let seed):
      Array("twin \(of) \(perturbation) \(size.bitPattern) \(seed)\n".utf8)
    }
  }
}
