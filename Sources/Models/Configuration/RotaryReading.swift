import Glibc
import JSON
import Tensor

/// How the rotary embedding of some layers is to be made.
struct RotarySettings {
  let table: RotaryTable
  /// By how much texts may be longer than `max_position_embeddings` says.
  let stretch: Double
  /// The longest text there are frequencies for, where that is shorter than `max_position_embeddings`.
  let limit: Int?
}

/// What a family's rotary embedding is where its `config.json` does not say.
struct RotaryDefaults {
  var theta = 10_000.0
  var thetaKey = "rope_theta"
  /// Share of a head that is rotated, and its key.
  var share = 1.0
  var shareKey = "partial_rotary_factor"
}

extension ConfigReader {
  /// The rotary embedding of a model, of transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`).
  ///
  /// - Parameter context: `max_position_embeddings`.
  func rotary(_ defaults: RotaryDefaults = RotaryDefaults(), headDimension: Int, context: Int) throws -> RotarySettings
  {
    let (old, new) = (try section("rope_scaling"), try section("rope_parameters"))
    return try rotary(old ?? new, defaults, headDimension: headDimension, context: context)
  }

  /// As ``rotary(_:headDimension:context:)`` of one section of several.
  func rotary(
    _ scaling: ConfigReader?, _ defaults: RotaryDefaults, headDimension: Int, context: Int
  ) throws -> RotarySettings {
    let range = 1...1e30
    let theta =
      try scaling?.optional("rope_theta").map { try Self.positive($0, in: range) }
      ?? positive(defaults.thetaKey, default: defaults.theta, in: range)
    let share =
      try scaling?.optional("partial_rotary_factor").map { try Self.positive($0) }
      ?? positive(defaults.shareKey, default: defaults.share)
    let rotated = share <= 1 ? Int(Double(headDimension) * share) : headDimension + 1
    guard rotated <= headDimension, rotated > 0, rotated % 2 == 0 else {
      throw field.diagnostic(
        "\(rotated) of the \(headDimension) columns of a head cannot be rotated, as a share of \(share) asks for",
        remedy: "the number must be even and within the head")
    }
    let named = try scaling?.optional("rope_type") ?? scaling?.optional("type")
    let type = try named?.string() ?? "default"
    var (form, stretch, limit) = (RotaryScaling.none, 1.0, Int?.none)
    if let scaling, type != "default" {
      _ = try scaling.optional("type")
      scaling.ignore(["finetuned"])
      (form, stretch, limit) = try self.scaling(scaling, type, named, pairs: rotated / 2, context: context)
      try scaling.refuseUnread(by: "the rotary scaling \(type)")
    }
    let table = RotaryTable(theta: theta, headDimension: headDimension, rotatedDimension: rotated, scaling: form)
    return RotarySettings(table: table, stretch: stretch, limit: limit)
  }

  private func scaling(
    _ scaling: ConfigReader, _ type: String, _ named: JSONField?, pairs: Int, context: Int
  ) throws -> (RotaryScaling, stretch: Double, limit: Int?) {
    func factor() throws -> Double { try scaling.positive("factor", in: 1e-6...1e6) }
    // A length beside the section wins over the one in it, as in transformers.
    func originalLength() throws -> Int {
      let inner = try scaling.size("original_max_position_embeddings", default: context)
      return try size("original_max_position_embeddings", default: inner)
    }
    switch type {
    case "linear":
      let factor = try factor()
      return (.linear(factor: factor), factor, nil)
    case "dynamic":
      let factor = try factor()
      // Of no use to transformers, which takes max_position_embeddings.
      scaling.ignore(["original_max_position_embeddings"])
      guard pairs > 1 else { throw scaling.field.diagnostic("cannot scale heads of 2 columns") }
      return (.dynamic(factor: factor, originalLength: context), max(factor, 1), nil)
    case "llama3":
      let low = try scaling.positive("low_freq_factor")
      let high = try scaling.positive("high_freq_factor")
      guard low != high else {
        throw try scaling.required("high_freq_factor").diagnostic("is \(high), but must differ from low_freq_factor")
      }
      return (
        .llama3(
          factor: try factor(), lowFrequencyFactor: low, highFrequencyFactor: high,
          originalLength: try originalLength()), 1, nil
      )
    case "yarn":
      let original = try originalLength()
      let yarn = try yarn(scaling, originalLength: original, context: context)
      return (.yarn(yarn), max(Double(original) * yarn.factor / Double(context), 1), nil)
    case "longrope", "su":
      let original = try originalLength()
      return (try longRope(scaling, pairs: pairs, originalLength: original, context: context), 1, original)
    case let other:
      throw (named ?? scaling.field).diagnostic(
        "names the rotary scaling '\(other)', which is not supported",
        remedy: "use a model with default, linear, dynamic, llama3, yarn or longrope rotary positions")
    }
  }

  private func yarn(
    _ scaling: ConfigReader, originalLength: Int, context: Int
  ) throws -> RotaryScaling.Yarn {
    let factor = try scaling.positive("factor", default: Double(context) / Double(originalLength), in: 1e-6...1e6)
    // 0 counts as absent, as in transformers.
    func scale(_ key: String) throws -> Double? {
      guard let field = try scaling.optional(key) else { return nil }
      return try field.double() == 0 ? nil : Self.positive(field)
    }
    let (own, ofAll) = (try scale("mscale"), try scale("mscale_all_dim"))
    func attention(_ scale: Double) -> Double { RotaryScaling.Yarn.attentionFactor(of: factor, scale: scale) }
    let inferred = if let own, let ofAll { attention(own) / attention(ofAll) } else { attention(1) }
    return RotaryScaling.Yarn(
      factor: factor, originalLength: originalLength, fastTurns: try scale("beta_fast") ?? 32,
      slowTurns: try scale("beta_slow") ?? 1, rounded: try scaling.flag("truncate", default: true),
      attentionFactor: try scaling.positive("attention_factor", default: inferred, in: 1e-6...1e6))
  }

  /// The factors for texts within the original length. Those for longer ones would rotate by other angles what the cache
  /// of a growing text holds already, so such texts are beyond the context.
  private func longRope(
    _ scaling: ConfigReader, pairs: Int, originalLength: Int, context: Int
  ) throws -> RotaryScaling {
    func factors(_ key: String) throws -> [Double] {
      let field = try scaling.required(key)
      let factors = try field.elements().map { try Self.positive($0, in: 1e-6...1e6) }
      guard factors.count == pairs else {
        throw field.diagnostic("has \(factors.count) factors, but \(pairs) pairs of columns are rotated")
      }
      return factors
    }
    _ = try factors("long_factor")
    let factor = try scaling.positive("factor", default: Double(context) / Double(originalLength), in: 1e-6...1e6)
    guard originalLength > 1 else { throw scaling.field.diagnostic("an original length of 1 cannot be stretched") }
    let inferred = factor <= 1 ? 1 : (1 + log(factor) / log(Double(originalLength))).squareRoot()
    return .factors(
      try factors("short_factor"),
      attentionFactor: try scaling.positive("attention_factor", default: inferred, in: 1e-6...1e6))
  }
}
