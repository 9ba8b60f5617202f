import Diagnostics
import Evaluation
import Models
import Samples
import Tokenizers

/// Files of rows to samples, for one model: what every verb that reads rows goes through, so that they all agree.
struct SampleSource {
  private let format: RowFormat
  private let builder: SampleBuilder

  /// The end-of-text token is the one the model's configuration names, else the tokenizer's.
  init(_ format: RowFormat, tokenizer: TokenizerBundle, model: ModelConfiguration) throws {
    self.format = format
    builder = try SampleBuilder(
      tokenizer: tokenizer.tokenizer, template: format.template,
      eosTokenID: model.eosTokenIDs.first ?? tokenizer.tokenizer.eosTokenID,
      maximumLength: min(format.maximumLength ?? model.contextLength, model.contextLength),
      longPrompts: format.longPrompts)
  }

  /// The samples of a file to learn from or to score.
  func samples(of path: String) throws -> SampleSet {
    try SampleSet(Dataset.load(path, options(for: .training)), builder)
  }

  /// The prompts of a file to answer, with the data set its rows stand in.
  func prompts(of path: String) throws -> (dataset: Dataset, samples: SampleSet) {
    let dataset = try Dataset.load(path, options(for: .prompts))
    return (dataset, try SampleSet(dataset, builder))
  }

  private func options(for purpose: Dataset.Purpose) throws -> Dataset.Options {
    let separator = try format.separator.map { name in
      guard let separator = TextSeparator(name: name) else {
        throw Diagnostic.input(
          "'\(name)' is no separator", field: "separator", remedy: "use line, blank-line, file or literal:TEXT")
      }
      return separator
    }
    return Dataset.Options(
      fields: format.fields, separator: separator, emptyResponses: format.emptyResponses, purpose: purpose)
  }
}

extension TokenSequence {
  /// A sample's tokens and prompt length.
  init(_ sample: Sample) { self.init(tokenIDs: sample.tokenIDs, promptLength: sample.promptLength) }
}
