import Models
import Tensor

/// The most likely token after `tokens`, from a full forward pass without a cache.
func greedyNext(_ model: any CausalLanguageModel, _ tokens: [Int32]) -> Int32 {
  let tape = Tape(arena: Arena(), recording: false)
  let hidden = model.hiddenStates(tokens, Packing(lengths: [tokens.count]), on: tape).value
  let logits = tape.arena.tensor([1, model.configuration.vocabularySize])
  Gemm.multiply(hidden.rows(tokens.count - 1..<tokens.count), model.head.table.value, transposeB: true, into: logits)
  model.head.cap(logits)
  let values = logits.array()
  return Int32(values.firstIndex(of: values.max()!)!)
}
