import Interchange
import Sequences
import TeacherSignal

/// A sequence of five tokens of which the last two are a response, in a vocabulary of ten.
let asked = TokenSequence(tokenIDs: [1, 5, 7, 2, 9], promptLength: 3)

func read(
  _ format: AnswerFormat, _ body: String, of sequence: TokenSequence = asked, topK: Int = 2, vocabularySize: Int = 10,
  texts: TokenTexts? = nil
) throws -> SparseSignal {
  let bytes = Array(body.utf8)
  return try AnswerReader(format, topK: topK, vocabularySize: vocabularySize, texts: texts)
    .signal(bytes.span, of: sequence, name: "rows.jsonl line 3")
}

/// Log-probs of one half, one quarter and one eighth.
let half = "-0.6931471805599453", quarter = "-1.3862943611198906", eighth = "-2.0794415416798357"
