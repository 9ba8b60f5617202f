import Diagnostics
import Models
import NN
import Sequences
import TeacherSignal
import Tensor

/// A teacher's features after the blocks of a mask, with the mask at work in the pass that makes them: each is what the next block
/// would read of a teacher that has been de-toxed. The log-probs beside them are the teacher's own.
struct FeatureColumns: KeptColumn {
  let declarations: [ColumnDeclaration]
  private let model: any CausalLanguageModel
  private let mask: FeatureMask

  /// - Throws: a `Diagnostic` where the mask was made for another teacher.
  init(mask path: String, of model: any CausalLanguageModel, _ identity: TeacherIdentity) throws {
    self.model = model
    let mask = try FeatureMask(path: path, of: model, identity.model)
    self.mask = mask
    let maker = "mask/\(mask.fingerprint)"
    declarations = mask.layers.map { layer in
      ColumnDeclaration(
        "\(ColumnSettings.features)\(layer.block)", .position, width: model.configuration.hiddenSize,
        element: .bfloat16, maker: maker, place: path)
    }
  }

  func values(_ pass: TeacherPass, in arena: Arena) throws -> [Tensor] {
    let batch = pass.batch, taps = mask.taps
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    _ = model.hiddenStates(batch, on: tape, taps: taps)
    return try mask.layers.map { layer in
      let values = tape.gatherRows(taps[.block(layer.block)], batch.scoredRows).value
      guard let index = values.firstNonFinite else { return values }
      throw Diagnostic.failure(
        "the teacher's features after block \(layer.block) hold \(values[index])", field: "columns.features",
        remedy: "check the teacher's weights, and the precision they were saved in")
    }
  }
}
