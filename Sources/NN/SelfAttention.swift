public import Tensor

/// Scaled dot-product attention of one layer, within each sequence of a pass. It has no parameters of its own.
public struct SelfAttention: Sendable {
  /// Which layer of a ``KeyValueCache`` it reads.
  public let layer: Int
  public let form: AttentionForm

  public init(layer: Int, form: AttentionForm) {
    self.layer = layer
    self.form = form
  }

  /// Queries [rows, heads * d], keys and values [rows, keyValueHeads * d], to [rows, heads * d]: within each whole
  /// sequence of the pass, or, behind a cache, also to what the sequence's slot holds.
  public func callAsFunction(
    queries: Variable, keys: Variable, values: Variable, _ pass: ForwardPass
  ) -> Variable {
    guard let (cache, slots) = pass.cache else {
      return pass.tape.attention(queries: queries, keys: keys, values: values, packing: pass.packing, form: form)
    }
    let cached = slots.enumerated().map { sequence, slot in
      cache.rows(layer: layer, slot: slot, adding: pass.packing.rows(sequence).count)
    }
    let output = pass.tape.arena.tensor(queries.value.shape)
    CachedAttention.attend(
      queries: queries.value, keys: keys.value, values: values.value, packing: pass.packing,
      cachedKeys: cached.map(\.keys), cachedValues: cached.map(\.values), form: form, into: output)
    return pass.tape.input(output)
  }
}
