import Tensor

/// Keys and values of earlier positions, for decoding: `slots` texts side by side, each of up to `capacity` tokens, for
/// every layer.
public final class KeyValueCache {
  public let slots: Int
  public let layers: Int
  /// The most tokens a slot holds.
  public let capacity: Int
  /// Columns of a layer's keys, and of its values: key heads times head dimension.
  public let width: Int
  /// Tokens each slot holds.
  public private(set) var lengths: [Int]
  /// By layer, [slots * capacity, width].
  private let keys: [Storage]
  private let values: [Storage]

  public init(slots: Int, layers: Int, capacity: Int, width: Int) {
    precondition(
      slots > 0 && layers > 0 && capacity > 0 && width > 0,
      "a cache of \(slots) slots, \(layers) layers, \(capacity) tokens and \(width) columns holds nothing")
    self.slots = slots
    self.layers = layers
    self.capacity = capacity
    self.width = width
    lengths = [Int](repeating: 0, count: slots)
    keys = (0..<layers).map { _ in Storage(shape: [slots * capacity, width]) }
    values = (0..<layers).map { _ in Storage(shape: [slots * capacity, width]) }
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

  /// Writes a layer's keys and values of new rows behind what the slot holds, and gives back all of them,
  /// [length so far, width], the new ones included. The slot's length is left to ``advance(_:by:)``, after the last
  /// layer.
  func append(keys newKeys: Tensor, values newValues: Tensor, layer: Int, slot: Int) -> (keys: Tensor, values: Tensor) {
    let start = lengths[slot]
    let end = start + newKeys.rows
    precondition(
      end <= capacity, "slot \(slot) holds \(start) of \(capacity) tokens: no room for \(newKeys.rows)")
    func write(_ rows: Tensor, into storage: Storage) -> Tensor {
      let first = slot * capacity
      storage.tensor.rows(first + start..<first + end).copy(from: rows)
      return storage.tensor.rows(first..<first + end)
    }
    return (write(newKeys, into: keys[layer]), write(newValues, into: values[layer]))
  }
}
