import Diagnostics
import Models
import NN
import RandomStreams
import Tensor

/// One prompt on its way through a slot.
struct DecodingRow {
  let index: Int
  let prompt: [Int32]
  var response: [Int32] = []
  var stream: RandomStream
  /// Tokens of the prompt the cache holds.
  private var fed = 0
  private let block: Int

  init(index: Int, prompt: [Int32], stream: RandomStream, block: Int) {
    self.index = index
    self.prompt = prompt
    self.stream = stream
    self.block = block
  }

  /// What the next pass feeds: a block of the prompt, or the last token written.
  var next: ArraySlice<Int32> {
    fed < prompt.count ? prompt[fed..<min(fed + block, prompt.count)] : response.suffix(1)
  }

  /// The tokens that would make a run of `length` tokens come a second time.
  func repeating(_ length: Int) -> [Int32] {
    let all = prompt + response
    guard length > 0, all.count >= length else { return [] }
    let last = all.suffix(length - 1)
    return (0...all.count - length).compactMap { start in
      all[start..<start + length - 1].elementsEqual(last) ? all[start + length - 1] : nil
    }
  }

  /// Notes that a pass has fed ``next``; true when a token is to be chosen after it.
  mutating func advance() -> Bool {
    fed = min(fed + block, prompt.count)
    return fed == prompt.count
  }
}

/// The buffers of one run of a ``Generator``, and its step.
struct DecodingRun {
  private let writer: Reader
  /// Who has its say in each token too.
  private let other: Reader?
  /// Its weight.
  private let weight: Float
  private let arena = Arena()
  private let vocabulary: WritableVocabulary
  /// By slot: rows are sampled at the same time.
  private let samplers: [Sampler]
  private let noRepeatNGram: Int

  /// A model with what it has read so far.
  private struct Reader {
    let model: any CausalLanguageModel
    let cache: KeyValueCache
    let packed: PackedWeights

    init(_ model: any CausalLanguageModel, slots: Int, capacity: Int) {
      let sizes = model.configuration
      self.model = model
      packed = PackedWeights(precision: model.precision)
      cache = KeyValueCache(
        slots: slots, layers: sizes.layerCount, capacity: capacity, heads: sizes.keyValueHeadCount,
        headDimension: sizes.headDimension, precision: model.precision)
    }

    /// Logits behind chosen rows of what it reads next: [chosen rows, vocabulary].
    func logits(
      _ tokens: [Int32], _ packing: Packing, slots: [Int], after rows: [Int], in arena: Arena
    ) -> Tensor? {
      let hidden = model.hiddenStates(tokens, packing, cache: cache, slots: slots, arena: arena, packed: packed)
      guard !rows.isEmpty else { return nil }
      let chosen = arena.tensor([rows.count, hidden.columns])
      for (target, source) in rows.enumerated() {
        chosen.rows(target..<target + 1).copy(from: hidden.rows(source..<source + 1))
      }
      let logits = arena.tensor([rows.count, model.configuration.vocabularySize])
      Gemm.multiply(chosen, packed.matrix(model.head.table, transposed: true), into: logits)
      model.head.cap(logits)
      return logits
    }
  }

  /// - Parameters:
  ///   - mixture: Who has its say in each token; nil where the model writes alone.
  ///   - reserved: Bytes of the largest pass, where they are known beforehand.
  init(
    model: any CausalLanguageModel, settings: SamplingSettings, vocabulary: WritableVocabulary, batchSize: Int,
    capacity: Int, mixture: DecodingMixture?, reserved: Int?
  ) {
    writer = Reader(model, slots: batchSize, capacity: capacity)
    other = mixture.map { Reader($0.model, slots: batchSize, capacity: capacity) }
    weight = mixture?.weight ?? 0
    self.vocabulary = vocabulary
    noRepeatNGram = settings.noRepeatNGram
    samplers = (0..<batchSize).map { _ in Sampler(settings, excluded: vocabulary.excluded) }
    if let reserved { arena.reserve(bytes: reserved) }
  }

  /// What the run has taken so far.
  var memory: DecodingMemory {
    DecodingMemory(
      batchSize: writer.cache.slots, capacity: writer.cache.capacity,
      weights: writer.packed.bytes + (other?.packed.bytes ?? 0), cache: writer.cache.bytes + (other?.cache.bytes ?? 0),
      pass: arena.peakBytes, sampling: samplers.reduce(0) { $0 + $1.bytes })
  }

  /// Makes a slot free for another prompt.
  func reset(_ slot: Int) {
    writer.cache.reset(slot)
    other?.cache.reset(slot)
  }

  /// One forward pass over every row, and a new token for those whose prompt is in the cache.
  func step(_ rows: inout [DecodingRow?]) throws {
    let slots = rows.indices.filter { rows[$0] != nil }
    let inputs = slots.map { rows[$0]!.next }
    let packing = Packing(lengths: inputs.map(\.count))
    arena.reset()
    let tokens = inputs.flatMap(\.self)
    let choosing = slots.indices.filter { rows[slots[$0]]!.advance() }
    let last = choosing.map { packing.offsets[$0 + 1] - 1 }
    let logits = writer.logits(tokens, packing, slots: slots, after: last, in: arena)
    let others = other?.logits(tokens, packing, slots: slots, after: last, in: arena)
    guard let logits else { return }
    var choices = choosing.map { index in
      let row = rows[slots[index]]!
      return Choice(slot: slots[index], stream: row.stream, banned: row.repeating(noRepeatNGram))
    }
    unsafe choices.withUnsafeMutableBufferPointer { choices in
      Engine.parallel(choices.count) { row in
        let line = unsafe logits.rows(row..<row + 1).elements
        for id in vocabulary.excluded { unsafe line[Int(id)] = -.infinity }
        if let others {
          let second = unsafe others.rows(row..<row + 1).elements
          for id in vocabulary.excluded { unsafe second[Int(id)] = -.infinity }
          unsafe DecodingMixture.mix(
            line.baseAddress!, with: second.baseAddress!, weight: weight, count: vocabulary.count)
        }
        for id in unsafe choices[row].banned where id < vocabulary.count { unsafe line[Int(id)] = -.infinity }
        unsafe choices[row].choose(UnsafeBufferPointer(rebasing: line[..<vocabulary.count]), samplers)
      }
    }
    for choice in choices {
      rows[choice.slot]!.stream = choice.stream
      rows[choice.slot]!.response.append(
        try choice.token.mapError { $0.located(field: "prompt \(rows[choice.slot]!.index)") }.get())
    }
  }

  /// A row's next token, and its stream after it.
  private struct Choice {
    let slot: Int
    var stream: RandomStream
    /// Ids that are not chosen this time.
    let banned: [Int32]
    var token: Result<Int32, Diagnostic> = .success(0)

    mutating func choose(_ logits: UnsafeBufferPointer<Float>, _ samplers: [Sampler]) {
      do {
        token = .success(try unsafe samplers[slot].sample(logits, stream: &stream))
      } catch { token = .failure(error) }
    }
  }
}
