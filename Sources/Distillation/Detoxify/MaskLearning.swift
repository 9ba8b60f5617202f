import Diagnostics
import Divergences
import Models
import NN
import Optimizers
import Samples
import Sequences
import Teachers
import Telemetry
import Tensor
import Training

/// Clean rows, as the teacher reads them.
struct CleanRows {
  private let samples: IndexedSamples
  private let lengths: [Int]

  /// - Throws: a `Diagnostic` where no row has a scored position.
  init(_ samples: IndexedSamples, of model: any CausalLanguageModel) throws {
    self.samples = samples
    var lengths: [Int] = [], scored = 0
    try samples.index.forEachEntry {
      lengths.append($1.tokenCount)
      scored += $1.scoredCount
    }
    self.lengths = lengths
    guard scored > 0 else {
      throw Diagnostic.input(
        "no row has a scored position, at which features are read", field: "data", remedy: "name rows with responses")
    }
  }

  var count: Int { samples.count }

  func batch(_ numbers: some Sequence<Int>) throws -> PackedBatch {
    PackedBatch(try numbers.map { try samples.index.sample(at: $0).sequence })
  }

  /// Calls `body` with every row, some at a time.
  func forEachBatch(_ body: (PackedBatch) throws -> Void) throws {
    for range in Batches.inOrder(lengths: lengths, tokens: 4096) {
      try Interruption.check()
      let batch = try batch(range)
      if !batch.scoredRows.isEmpty { try body(batch) }
    }
  }
}

/// How the masks of a teacher's features are learnt: `CE + w V`, with CE the cross-entropy of clean rows of the teacher with the masks at
/// work, and V the variance that the masks leave of the features, as a share of what there was: the mean over blocks of
///
///     sum over columns of (1 - m)^2 var(f) / sum over columns of var(f)
///
/// "CE + variance" is what the paper's files are called; how its variance is formed could not be read.
struct MaskLearning {
  /// The masks, and the buffer that they lie in.
  struct Masks {
    let mask: FeatureMask
    let parameters: ParameterBuffer
  }

  private let rows: CleanRows
  private let blocks: [Int]
  private let teacher: LoadedModel
  private let varianceWeight: Float
  private let cap: Float
  private let head: Head
  private let arena = Arena()
  private var model: any CausalLanguageModel { teacher.model }

  init(_ rows: CleanRows, blocks: [Int], of teacher: LoadedModel, varianceWeight: Float, cap: Float) {
    self.rows = rows
    self.blocks = blocks
    self.teacher = teacher
    self.varianceWeight = varianceWeight
    self.cap = cap
    head = Head(reading: teacher.model.head, vocabulary: teacher.model.configuration.vocabularySize)
  }

  /// The means and variances of each block's features over the rows' scored positions, column by column.
  func moments() throws -> (means: [[Float]], variances: [[Double]]) {
    let width = model.configuration.hiddenSize
    var sums = [[Double]](repeating: Array(repeating: 0, count: width), count: blocks.count), squares = sums
    var count = 0
    try rows.forEachBatch { batch in
      arena.reset()
      let tape = Tape(arena: arena, recording: false)
      let taps = Taps(Set(blocks.map(Tap.block)))
      _ = model.hiddenStates(batch, on: tape, taps: taps)
      for (place, block) in blocks.enumerated() {
        let features = taps[.block(block)].value
        for row in batch.scoredRows {
          for (column, value) in features.rows(row..<row + 1).array().enumerated() {
            sums[place][column] += Double(value)
            squares[place][column] += Double(value) * Double(value)
          }
        }
      }
      count += batch.scoredRows.count
    }
    let scale = 1 / Double(count)
    let variances = zip(sums, squares).map { sums, squares in
      zip(sums, squares).map { max($1 * scale - ($0 * scale) * ($0 * scale), 0) }
    }
    return (sums.map { $0.map { Float($0 * scale) } }, variances)
  }

  /// Masks of 0.
  func masks(means: [[Float]]) -> Masks {
    let width = model.configuration.hiddenSize
    let parameters = ParameterBuffer(
      blocks.map {
        ParameterSpecification(name: "mask/\($0)", shape: [width], role: .undecayed, initialization: .zeros)
      })
    parameters.allocateGradients()
    let layers = zip(blocks, means).map { block, means in
      let storage = Storage(shape: [width])
      storage.tensor.copy(from: means)
      return FeatureMask.Layer(block: block, means: storage.tensor, mask: parameters["mask/\(block)"])
    }
    return Masks(mask: FeatureMask(teacher: teacher.fingerprint, layers: layers), parameters: parameters)
  }

  /// Of the rows' scored tokens with the masks at work, nats a token.
  func crossEntropy(_ masks: Masks) throws -> Double {
    var sum = 0.0, count = 0
    try rows.forEachBatch { batch in
      arena.reset()
      let tape = Tape(arena: arena, recording: false)
      let states = model.hiddenStates(batch, on: tape, taps: masks.mask.taps)
      let sums = HeadLoss(divergence: nil, crossEntropyWeight: 1).evaluate(
        hidden: tape.gatherRows(states, batch.scoredRows).value, head: head, targets: batch.targets, teacher: .none,
        arena: arena)
      sum += sums.crossEntropy
      count += sums.rows
    }
    return sum / Double(count)
  }

  /// Moves the masks by AdamW, each step back into 0 ... cap.
  ///
  /// - Parameter variances: Of each block's features, as ``moments()`` has them.
  func learn(
    _ masks: Masks, variances: [[Double]], steps: Int, batchSize: Int, learningRate: Double, seed: UInt64
  ) throws {
    let optimizer = AdamW(parameters: masks.parameters, weightDecay: 0)
    var order = DataOrder(sampleCount: rows.count, batchSize: min(batchSize, rows.count), seed: seed)
    let progress = Progress("detoxify", total: steps, unit: "steps")
    for step in 0..<steps {
      try Interruption.check()
      let batch = try rows.batch(order.batch(at: step))
      masks.parameters.gradients?.fill(0)
      if !batch.scoredRows.isEmpty { accumulateCrossEntropy(batch, masks) }
      accumulateVariance(masks, variances)
      optimizer.step(learningRate: Float(learningRate))
      for parameter in masks.parameters.parameters {
        parameter.value.copy(from: parameter.value.array().map { min(max($0, 0), cap) })
        guard parameter.value.firstNonFinite == nil else {
          throw Diagnostic.failure(
            "the masks diverged at step \(step + 1)", field: "learning_rate", remedy: "lower learning_rate")
        }
      }
      progress.advance()
    }
    progress.finish()
  }

  /// Adds the gradient of the batch's mean cross-entropy to the masks'.
  func accumulateCrossEntropy(_ batch: PackedBatch, _ masks: Masks) {
    arena.reset()
    let tape = Tape(arena: arena, recording: true)
    let states = model.hiddenStates(batch, on: tape, taps: masks.mask.taps)
    let hidden = tape.gatherRows(states, batch.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    _ = arena.scratch {
      HeadLoss(divergence: nil, crossEntropyWeight: 1).evaluate(
        hidden: hidden.value, head: head, targets: batch.targets, teacher: .none,
        scale: 1 / Float(batch.scoredRows.count), hiddenGradient: gradient, arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
  }

  /// Adds the gradient of `w V`: -2 w (1 - m) var(f) / sum of var(f), divided by the number of blocks.
  func accumulateVariance(_ masks: Masks, _ variances: [[Double]]) {
    for (layer, variances) in zip(masks.mask.layers, variances) {
      guard let gradient = layer.mask.gradient else { continue }
      let total = max(variances.reduce(0, +), .leastNormalMagnitude)
      let scale = -2 * Double(varianceWeight) / Double(blocks.count) / total
      let own = zip(gradient.array(), zip(layer.mask.value.array(), variances)).map { gradient, column in
        gradient + Float(scale * (1 - Double(column.0)) * column.1)
      }
      gradient.copy(from: own)
    }
  }
}
