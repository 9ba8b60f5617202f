import Tensor

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
  /// By layer, [slots * heads * capacity, headDimension]: what a head of a text holds lies in one piece, since attention
  /// to it reads just that.
  private let keys: [Storage]
  private let values: [Storage]

  public init(slots: Int, layers: Int, capacity: Int, heads: Int, headDimension: Int) {
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
    keys = (0..<layers).map { _ in Storage(shape: [slots * heads * capacity, headDimension]) }
    values = (0..<layers).map { _ in Storage(shape: [slots * heads * capacity, headDimension]) }
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

  /// Writes a layer's keys and values of new rows, [rows, heads * headDimension], behind what the slot holds, and gives
  /// back all of them, the new ones included. The slot's length is left to ``advance(_:by:)``, after the last layer.
  func append(keys newKeys: Tensor, values newValues: Tensor, layer: Int, slot: Int) -> (
    keys: CachedRows, values: CachedRows
  ) {
    let start = lengths[slot]
    let end = start + newKeys.rows
    precondition(
      end <= capacity, "slot \(slot) holds \(start) of \(capacity) tokens: no room for \(newKeys.rows)")
    func write(_ rows: Tensor, into storage: Storage) -> CachedRows {
      let first = slot * heads * capacity
      let cached = CachedRows(
        storage.tensor.rows(first..<first + heads * capacity), heads: heads, length: end)
      cached.write(rows, at: start)
      return cached
    }
    return (write(newKeys, into: keys[layer]), write(newValues, into: values[layer]))
  }
}
