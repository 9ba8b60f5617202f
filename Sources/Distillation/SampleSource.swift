import Diagnostics
import Evaluation
import Models
import Samples
import Sequences
import Synchronization
import Telemetry
import Tokenizers

/// Files of rows to samples, for one model: what every verb that reads rows goes through, so that they all agree.
struct SampleSource {
  private let format: RowFormat
  private let builder: SampleBuilder
  /// What ends a text in all that is read here and in all that is generated from it.
  let endOfText: EndOfText
  private let tokenizer: Tokenizer
  private let vocabularySize: Int
  /// The model's, in tokens.
  private let context: Int

  /// - Parameter taught: What ends a text of the teacher, first what its answers end with, where there is one to learn
  ///   from.
  init(_ format: RowFormat, tokenizer: TokenizerBundle, model: ModelConfiguration, taught: [Int32] = []) throws {
    self.format = format
    self.tokenizer = tokenizer.tokenizer
    vocabularySize = model.vocabularySize
    context = model.contextLength
    endOfText = try format.endOfText(tokenizer: tokenizer, model: model, taught: taught)
    if let turn = format.template.endOfTurn, try format.template.endOfTurn(in: self.tokenizer) == nil,
      let end = endOfText.appended
    {
      Log.warning(
        "\(turn), which ends a turn of the template \(format.template.rawValue), is no token of this tokenizer: a "
          + "response ends with \(EndOfText.name(end, in: self.tokenizer))")
    }
    builder = try SampleBuilder(
      tokenizer: tokenizer.tokenizer, template: format.template, eosTokenID: endOfText.appended,
      maximumLength: min(format.maximumLength ?? model.contextLength, model.contextLength),
      longPrompts: format.longPrompts)
  }

  /// The samples of a file to learn from or to score. What became of its rows is said in the log.
  ///
  /// - Parameter newTokens: The longest answer to their prompts, where they are to be answered too.
  /// - Throws: a `Diagnostic` where a row does not fit, or responses would end with a token that the model does not have.
  func samples(of path: String, newTokens: Int? = nil) throws -> (set: SampleSet, account: RowAccount) {
    let set = try SampleSet(Dataset.load(path, options(for: .training)), builder)
    guard let end = endOfText.appended, end >= vocabularySize, set.samples.contains(where: \.hasResponse) else {
      return (set, try announced(set, newTokens: newTokens))
    }
    throw Diagnostic.input(
      "the token that ends a response, \(EndOfText.name(end, in: tokenizer)), lies beyond the model's vocabulary of "
        + "\(vocabularySize)", file: tokenizer.path, field: format.endOfText == nil ? "eos_token" : "end_of_text",
      remedy: "use the tokenizer the model was trained with, or name another token as end_of_text")
  }

  /// The prompts of a file to answer, with the data set its rows stand in. What became of its rows is said in the log.
  ///
  /// - Parameter newTokens: The longest answer: prompts that are cut leave room for it.
  func prompts(of path: String, newTokens: Int) throws -> (dataset: Dataset, samples: SampleSet, account: RowAccount) {
    let dataset = try Dataset.load(path, options(for: .prompts))
    let set = try SampleSet(dataset, builder.answering(with: newTokens, context: context))
    return (dataset, set, try announced(set, newTokens: newTokens))
  }

  /// The prompt of a sample that is to be answered with so many tokens.
  func prompt(of sample: Sample, newTokens: Int) throws -> [Int32] {
    try builder.answering(with: newTokens, context: context).prompt(of: sample)
  }

  /// Says what became of the rows of a file, once in a process: the stages of a pipeline share files.
  private func announced(_ set: SampleSet, newTokens: Int?) throws -> RowAccount {
    var account = set.account
    if let newTokens {
      let answering = try builder.answering(with: newTokens, context: context)
      account.tight = set.samples.count { answering.prompt(of: $0).count + newTokens > context }
      account.newTokens = newTokens
    }
    if let sentence = account.sentence, Self.said.withLock({ $0.insert(sentence).inserted }) { Log.info(sentence) }
    return account
  }

  private static let said = Mutex<Set<String>>([])

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

extension RowFormat {
  /// What ends a text of a model; see `EndOfText` for the order.
  func endOfText(tokenizer: TokenizerBundle, model: ModelConfiguration, taught: [Int32] = []) throws -> EndOfText {
    try EndOfText(
      choice: endOfText, template: template, tokenizer: tokenizer.tokenizer, model: model.eosTokenIDs, taught: taught)
  }
}

extension SequenceLimits {
  /// Refuses samples of a file that the model cannot read.
  ///
  /// - Parameters:
  ///   - lastIsTarget: True where a sample's last token is not given to the model.
  ///   - path: The file, which the message names with the sample's line.
  /// - Throws: a `Diagnostic` of category `input` for the first such sample.
  func check(_ samples: [Sample], of path: String, lastIsTarget: Bool, name: String = "this row") throws {
    for sample in samples {
      let inputs = sample.tokenIDs.count - (lastIsTarget ? 1 : 0)
      do { try check(sample.tokenIDs, inputs: inputs, name: name) } catch let fault as Diagnostic {
        throw fault.located(file: path, line: sample.line)
      }
    }
  }
}
