public import Tensor

/// Scaled dot-product attention of one layer, every position to itself and those before it; key heads may be shared by
/// groups of query heads (Ainslie et al., arXiv 2305.13245). It has no parameters of its own.
public struct CausalAttention: Sendable {
  /// Which layer of a ``KeyValueCache`` it reads.
  public let layer: Int
  public let heads: Int
  public let keyValueHeads: Int
  /// What products of queries and keys are multiplied by.
  public let scale: Float

  public init(layer: Int, heads: Int, keyValueHeads: Int, scale: Float) {
    self.layer = layer
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.scale = scale
  }

  /// Queries [rows, heads * d], keys and values [rows, keyValueHeads * d], to [rows, heads * d]: within each whole
  /// sequence of the pass, or, behind a cache, also to what the sequence's slot holds.
  public func callAsFunction(
    queries: Variable, keys: Variable, values: Variable, _ pass: ForwardPass
  ) -> Variable {
    guard let (cache, slots) = pass.cache else {
      return pass.tape.attention(
        queries: queries, keys: keys, values: values, packing: pass.packing, heads: heads,
        keyValueHeads: keyValueHeads, scale: scale)
    }
    let cached = slots.enumerated().map { sequence, slot in
      cache.rows(layer: layer, slot: slot, adding: pass.packing.rows(sequence).count)
    }
    let output = pass.tape.arena.tensor(queries.value.shape)
    CachedAttention.attend(
      queries: queries.value, keys: keys.value, values: values.value, packing: pass.packing,
      cachedKeys: cached.map(\.keys), cachedValues: cached.map(\.values), heads: heads, keyValueHeads: keyValueHeads,
      scale: scale, into: output)
    return pass.tape.input(output)
  }
}
