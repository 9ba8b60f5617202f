import Tensor

/// How a rate grows or falls with one size.
struct Curve: Sendable {
  /// Name on the command line and of the files.
  var name: String
  var title: String
  /// What is measured, in one line: model, batch, lengths.
  var setting: String
  /// The size that changes, with its unit.
  var axis: String
  /// Why the curve has its shape, from the arithmetic.
  var explanation: String
  var values: [Int]
  /// Seconds for each token by the arithmetic alone, in any unit; nil where arithmetic has nothing to say.
  var cost: (@Sendable (Int) -> Double)?
  /// The work at one size. Threads may be changed here: they are put back after the curve.
  var work: @Sendable (Int) throws -> Work

  /// A smaller student, where the usual one would take too long.
  private static let small = ModelShape(layers: 4, hidden: 256, heads: 4, vocabulary: 16_384, positions: 4096)
  private static let smallText = "student of 4 layers of 256, vocabulary 16,384"
  private static let studentText = "student of 6 layers of 384, vocabulary 50,257"

  static let all = [
    lengthStep, lengthDecoding, batchStep, batchDecoding, vocabularyStep, threadsStep, threadsScoring, threadsDecoding,
  ]

  // MARK: Sequence length

  private static let lengths = [128, 256, 512, 1024, 2048]

  private static let lengthStep = Curve(
    name: "step-length", title: "Student step by sequence length",
    setting: "\(studentText), cached top-64, 2048 tokens a step", axis: "tokens in a sequence",
    explanation: """
      Weights take the same work for every token, `3 (12 hidden² layers + hidden vocabulary)` multiply-adds forward \
      and backward. Attention's grows with the length, `3.5 hidden length layers` (half a square, two products forward \
      and five backward), from 1 % at 128 tokens to 15 % at 2048. The dashed line has both at the same speed; where \
      the curve lies below it, attention's small products run slower than those of the weights.
      """,
    values: lengths, cost: { multiplyAdds(.student30M, length: $0) }
  ) { length in
    var student = ModelShape.student30M
    student.positions = 4096
    return try .cachedStep(student, BatchShape(rows: 2048 / length, length: length))
  }

  private static let lengthDecoding = Curve(
    name: "decoding-length", title: "Decoding by length of the text",
    setting: "\(smallText), batch 4, 32 tokens of prompt", axis: "tokens in a text, prompt and all",
    explanation: """
      Each new token is compared with all before it: a text of `n` tokens reads the weights `n` times and a token's \
      keys and values `n² / 2` times. The rate of short texts is that of the weights; long ones fall towards one over \
      the length.
      """,
    values: lengths
  ) { try .decoding(small, rows: 4, prompt: 32, new: $0 - 32) }

  // MARK: Batch

  private static let batches = [1, 2, 4, 8, 16, 32, 64]

  private static let batchStep = Curve(
    name: "step-batch", title: "Student step by batch", setting: "\(smallText), cached top-64, sequences of 256 tokens",
    axis: "sequences in a batch",
    explanation: """
      A sequence of 256 rows fills the matrix products already. What a larger batch saves is what is done once a step, \
      whatever the batch: clearing the gradients and AdamW, which read and write seven numbers for each weight. The \
      curve rises until that is spread thin; beyond that it moves with what else the machine does.
      """,
    values: batches
  ) { try .cachedStep(small, BatchShape(rows: $0)) }

  private static let batchDecoding = Curve(
    name: "decoding-batch", title: "Decoding by batch", setting: "\(studentText), 64 + 64 tokens",
    axis: "texts in a batch",
    explanation: """
      At batch 1 every token reads all weights, 120 MB for 30 million multiply-adds: memory sets the rate. A batch \
      reads them once for all its rows, so that the rate grows with it, until arithmetic limits the products and the \
      parts that rows do not share (attention, and sampling from the vocabulary) take the rest.
      """,
    values: batches
  ) { try .decoding(.student30M, rows: $0, prompt: 64, new: 64) }

  // MARK: Vocabulary

  private static let vocabularyStep = Curve(
    name: "step-vocabulary", title: "Student step by vocabulary",
    setting: "6 layers of 384, cached top-64, 4 sequences of 256 tokens", axis: "tokens in the vocabulary",
    explanation: """
      The head takes `3 hidden vocabulary` multiply-adds for each token beside the blocks' `36 hidden² layers`: 2 % at \
      512 tokens, 65 % at 50,257 and 85 % at 151,936. The dashed line is that arithmetic alone; the softmax over the \
      vocabulary and AdamW on the embedding come on top.
      """,
    values: [512, 4096, 16_384, 50_257, 151_936], cost: { multiplyAdds(student(vocabulary: $0), length: 256) }
  ) { try .cachedStep(student(vocabulary: $0), BatchShape(rows: 4)) }

  private static func student(vocabulary: Int) -> ModelShape {
    var student = ModelShape.student30M
    student.vocabulary = vocabulary
    return student
  }

  // MARK: Threads

  /// Powers of two, to the number of CPUs or of `--threads`.
  private static let threads = Array(sequence(first: 1) { $0 * 2 }.prefix { $0 <= Engine.threads })

  private static let threadsStep = Curve(
    name: "step-threads", title: "Student step by threads",
    setting: "\(studentText), cached top-64, 4 sequences of 256 tokens", axis: "threads",
    explanation: """
      Products, attention and the loss are cut into tasks that share nothing, so that the rate keeps close to the \
      dashed line of one thread's rate times the threads; what memory limits (AdamW, clearing gradients) does not \
      double.
      """,
    values: threads, cost: { 1 / Double($0) }
  ) {
    try Engine.configure(threads: $0)
    return try .cachedStep(.student30M, BatchShape(rows: 4))
  }

  private static let threadsScoring = Curve(
    name: "scoring-threads", title: "Teacher scoring by threads",
    setting: "teacher of 12 layers of 768, vocabulary 50,257, top-64, cache write, 2 x 256 tokens",
    axis: "threads",
    explanation: """
      Nearly all of it is matrix products, which divide well; grouping samples to records and storing them stay on one \
      thread.
      """,
    values: threads, cost: { 1 / Double($0) }
  ) {
    try Engine.configure(threads: $0)
    return try .scoring(.teacher124M, BatchShape(rows: 2))
  }

  private static let threadsDecoding = Curve(
    name: "decoding-threads", title: "Decoding by threads", setting: "\(studentText), batch 8, 64 + 64 tokens",
    axis: "threads",
    explanation: """
      A pass over 8 rows is a few milliseconds of reading weights: threads help as far as one of them does not use up \
      the memory's rate, less what it costs to wake them for each small product.
      """,
    values: threads, cost: { 1 / Double($0) }
  ) {
    try Engine.configure(threads: $0)
    return try .decoding(.student30M, rows: 8, prompt: 64, new: 64)
  }

  /// Multiply-adds of a training step for each token: weights thrice, attention's half square seven times.
  private static func multiplyAdds(_ shape: ModelShape, length: Int) -> Double {
    Double(3 * shape.productWeights) + 3.5 * Double(shape.hidden * length * shape.layers)
  }
}
