public import Tensor

/// Keys and values of earlier positions, for decoding: `slots` texts side by side, each of up to `capacity` tokens, for
/// every layer.
public final class KeyValueCache {
  public let slots: Int
  public let layers: Int
  /// The most tokens a slot holds.
  public let capacity: Int
  /// Key heads of a layer, and columns of one of them.
  public let heads: Int
  public let headDimension: Int
  /// Tokens each slot holds.
  public private(set) var lengths: [Int]
  /// Bytes of all keys and values.
  public let bytes: Int
  /// By layer; a text for each slot.
  private let keys: [CachedLayer]
  private let values: [CachedLayer]

  /// - Parameter precision: How keys and values are kept: `.bf16` rounds them and takes half the memory.
  public init(
    slots: Int, layers: Int, capacity: Int, heads: Int, headDimension: Int, precision: Precision = .fp32
  ) {
    precondition(
      slots > 0 && layers > 0 && capacity > 0 && heads > 0 && headDimension > 0,
      "a cache of \(slots) slots, \(layers) layers, \(capacity) tokens and \(heads) heads of \(headDimension) holds nothing"
    )
    self.slots = slots
    self.layers = layers
    self.capacity = capacity
    self.heads = heads
    self.headDimension = headDimension
    lengths = [Int](repeating: 0, count: slots)
    let memory = Arena()
    memory.reserve(
      bytes: Self.bytes(
        slots: slots, layers: layers, capacity: capacity, heads: heads, headDimension: headDimension,
        precision: precision))
    func layer(_: Int) -> CachedLayer {
      CachedLayer(
        texts: slots, heads: heads, capacity: capacity, columns: headDimension, precision: precision, arena: memory)
    }
    keys = (0..<layers).map(layer)
    values = (0..<layers).map(layer)
    bytes = memory.usedBytes
  }

  /// What such a cache takes.
  public static func bytes(
    slots: Int, layers: Int, capacity: Int, heads: Int, headDimension: Int, precision: Precision
  ) -> Int {
    2 * layers
      * CachedLayer.bytes(texts: slots, heads: heads, capacity: capacity, columns: headDimension, precision: precision)
  }

  /// Empties a slot for another text.
  public func reset(_ slot: Int) { lengths[slot] = 0 }

  /// Counts tokens whose keys and values every layer has written.
  public func advance(_ slot: Int, by count: Int) {
    precondition(
      lengths[slot] + count <= capacity,
      "slot \(slot) holds \(lengths[slot]) of \(capacity) tokens: no room for \(count)")
    lengths[slot] += count
  }

  /// Where a slot holds the keys and values of a layer, with `count` new ones behind the others, which are yet to be
  /// written. The slot's length is left to ``advance(_:by:)``, after the last layer.
  func rows(layer: Int, slot: Int, adding count: Int) -> (keys: CachedRows, values: CachedRows) {
    let end = lengths[slot] + count
    precondition(end <= capacity, "slot \(slot) holds \(lengths[slot]) of \(capacity) tokens: no room for \(count)")
    return (keys[layer].rows(text: slot, length: end), values[layer].rows(text: slot, length: end))
  }
}
