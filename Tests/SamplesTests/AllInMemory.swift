import Fingerprints
import JSON
import Samples
import Sequences

/// A data set whose rows are all in memory.
struct LoadedDataset {
  let dataset: Dataset
  let rows: [Row]
  let emptyResponseCount: Int

  var path: String { dataset.path }
  var fingerprint: Fingerprint { dataset.fingerprint }
  func original(_ row: Row) throws -> JSONObject { try dataset.original(row) }
  func text(_ row: Row) -> RowText { dataset.text(row) }
}

extension Dataset {
  /// Reads all rows of one file, in whatever name it has.
  static func load(_ path: String, _ options: Options = Options()) throws -> LoadedDataset {
    let dataset = try Dataset(DataFiles(path), options)
    var rows: [Row] = []
    let skipped = try dataset.forEachRow { rows.append($0) }
    return LoadedDataset(dataset: dataset, rows: rows, emptyResponseCount: skipped)
  }
}

/// What an index is held against: the samples of a data set in the order of its rows, all in memory.
struct SampleSet {
  let samples: [Sample]
  /// Index in the data set's rows of the row that each sample comes from.
  let rowIndices: [Int]
  /// A fingerprint of the file, how it was read, the template, the tokenizer and the lengths: equal fingerprints mean
  /// equal samples.
  let fingerprint: Fingerprint
  /// Rows left out because their prompt is too long.
  let droppedCount: Int
  /// Rows left out because their response is empty.
  let emptyResponseCount: Int
  private let path: String
  private let lengths: (sample: Int, prompt: Int)
  private let unknownTokenID: Int32?

  /// Builds the samples of a data set: prompts alone where it was read for prompts.
  init(_ loaded: LoadedDataset, _ builder: SampleBuilder) throws {
    let dataset = loaded.dataset
    var samples: [Sample] = []
    var indices: [Int] = []
    for (index, row) in loaded.rows.enumerated() {
      if let made = try dataset.sample(of: row, builder) {
        samples.append(made)
        indices.append(index)
      }
    }
    self.samples = samples
    rowIndices = indices
    droppedCount = loaded.rows.count - samples.count
    emptyResponseCount = loaded.emptyResponseCount
    path = dataset.path
    lengths = (builder.maximumLength, builder.maximumPromptLength)
    unknownTokenID = builder.unknownTokenID
    fingerprint = Fingerprint(of: "\(dataset.fingerprint)\n\(builder.fingerprint)")
  }

  /// Tokens in all samples.
  var tokenCount: Int { samples.reduce(0) { $0 + $1.tokenIDs.count } }

  /// Positions in all samples whose next token is scored.
  var scoredCount: Int { samples.reduce(0) { $0 + $1.scoredPositions.count } }

  /// Samples that equal an earlier one in tokens and scored positions: they are stored and scored once by what is keyed by
  /// content.
  var duplicateCount: Int {
    samples.count - Set(samples.map(\.sequence)).count
  }

  /// Samples that were cut at the maximum length.
  var cutCount: Int { samples.count { $0.isCut } }

  /// What became of the rows.
  var account: RowAccount {
    var account = RowAccount()
    account.path = path
    account.rows = samples.count + droppedCount + emptyResponseCount
    account.samples = samples.count
    account.scored = scoredCount
    account.cutTokens = samples.reduce(0) { $0 + $1.cutTokens }
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
