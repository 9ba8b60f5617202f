public import Fingerprints
import Sequences

// To be deleted with its last caller: SampleIndex keeps none of the samples in memory.
/// The samples of a data set in the order of its rows, and what became of the rows that gave none.
public struct SampleSet: Sendable {
  public let samples: [Sample]
  /// Index in the data set's rows of the row that each sample comes from.
  public let rowIndices: [Int]
  /// A fingerprint of the file, how it was read, the template, the tokenizer and the lengths: equal fingerprints mean
  /// equal samples.
  public let fingerprint: Fingerprint
  /// Rows left out because their prompt is too long.
  public let droppedCount: Int
  /// Rows left out because their response is empty.
  public let emptyResponseCount: Int
  private let path: String
  private let lengths: (sample: Int, prompt: Int)
  private let unknownTokenID: Int32?

  /// Builds the samples of a data set: prompts alone where it was read for prompts.
  ///
  /// - Parameter onRow: Called after each row with how many are done.
  /// - Throws: a `Diagnostic` of category `input` with file and line, also where no sample is left.
  public init(_ dataset: Dataset, _ builder: SampleBuilder, onRow: (Int) throws -> Void = { _ in }) throws {
    var samples: [Sample] = []
    var indices: [Int] = []
    for (index, row) in dataset.rows.enumerated() {
      if let made = try dataset.sample(of: row, builder) {
        samples.append(made)
        indices.append(index)
      }
      try onRow(index + 1)
    }
    guard !samples.isEmpty else {
      throw dataset.noSamples(rows: dataset.rows.count)
    }
    self.samples = samples
    rowIndices = indices
    droppedCount = dataset.rows.count - samples.count
    emptyResponseCount = dataset.emptyResponseCount
    path = dataset.path
    lengths = (builder.maximumLength, builder.maximumPromptLength)
    unknownTokenID = builder.unknownTokenID
    fingerprint = Fingerprint(of: "\(dataset.fingerprint)\n\(builder.fingerprint)")
  }

  /// Tokens in all samples.
  public var tokenCount: Int { samples.reduce(0) { $0 + $1.tokenIDs.count } }

  /// Positions in all samples whose next token is scored.
  public var scoredCount: Int { samples.reduce(0) { $0 + $1.scoredPositions.count } }

  /// Samples that equal an earlier one in tokens and scored positions: they are stored and scored once by what is keyed by
  /// content.
  public var duplicateCount: Int {
    samples.count - Set(samples.map(\.sequence)).count
  }

  /// Samples that were cut at the maximum length.
  public var cutCount: Int { samples.count { $0.isCut } }

  /// What became of the rows.
  public var account: RowAccount {
    var account = RowAccount()
    account.path = path
    account.rows = samples.count + droppedCount + emptyResponseCount
    account.samples = samples.count
    account.cut = cutCount
    account.maximumLength = lengths.sample
    account.cutPrompts = samples.count { $0.isPromptCut }
    account.dropped = droppedCount
    account.maximumPromptLength = lengths.prompt
    account.emptyResponses = emptyResponseCount
    account.duplicates = duplicateCount
    if let unknownTokenID {
      account.unknownTokens = samples.reduce(0) { $0 + $1.tokenIDs.count { $0 == unknownTokenID } }
    }
    return account
  }
}
