import Divergences
import Models
import Sequences
import TeacherSignal
import Tensor

/// Columns that a teacher's pass over a batch gives together.
protocol KeptColumn {
  var declarations: [ColumnDeclaration] { get }

  /// What a model beside the teacher can be asked about; nil where there is none.
  var limits: SequenceLimits? { get }

  /// The numbers of each at the scored rows of a batch, `[scored rows, width]`, in memory of the arena.
  ///
  /// - Throws: a `Diagnostic` where they are no numbers, or a model beside the teacher cannot read the batch.
  func values(_ pass: TeacherPass, in arena: Arena) throws -> [Tensor]
}

extension KeptColumn {
  var limits: SequenceLimits? { nil }
}

/// What a teacher has made of a batch.
struct TeacherPass {
  let batch: PackedBatch
  /// Behind the final norm, `[scored rows, hidden size]`.
  let hidden: Tensor
  let head: Head
}

/// The columns that are kept of a teacher, and what makes them.
struct KeptColumns {
  private let columns: [any KeptColumn]

  /// Opens what the settings name.
  ///
  /// - Throws: a `Diagnostic` that names a model beside the teacher that does not fit it.
  init(_ settings: ColumnSettings, of model: any CausalLanguageModel, _ identity: TeacherIdentity) throws {
    var columns: [any KeptColumn] = []
    if let element = settings.hidden {
      columns.append(HiddenColumn(width: model.configuration.hiddenSize, element: element))
    }
    if let reference = settings.anomaly {
      columns.append(try AnomalyColumn(reference: reference, beside: identity, precision: model.precision))
    }
    if let mask = settings.features { columns.append(try FeatureColumns(mask: mask, of: model, identity)) }
    self.columns = columns
  }

  /// None.
  init() { columns = [] }

  var declarations: [ColumnDeclaration] { columns.flatMap(\.declarations) }

  /// What the models beside the teacher can be asked about.
  var limits: [SequenceLimits] { columns.compactMap(\.limits) }

  /// The columns of each sequence of a batch, in its order.
  func columns(_ pass: TeacherPass, in arena: Arena) throws -> [[Column]] {
    var samples = [[Column]](repeating: [], count: pass.batch.scoredRanges.count)
    for column in columns {
      try arena.scratch {
        for (declaration, values) in try zip(column.declarations, column.values(pass, in: arena)) {
          for (number, range) in pass.batch.scoredRanges.enumerated() {
            samples[number].append(declaration.column(values.rows(range).array()))
          }
        }
      }
    }
    return samples
  }

  /// The columns of a sequence that nothing is scored of.
  var empty: [Column] { declarations.map { $0.column([]) } }
}

/// The hidden states behind the final norm.
private struct HiddenColumn: KeptColumn {
  let declarations: [ColumnDeclaration]

  init(width: Int, element: Column.Element) {
    declarations = [ColumnDeclaration("hidden", .position, width: width, element: element, maker: "final-norm")]
  }

  func values(_ pass: TeacherPass, in arena: Arena) -> [Tensor] { [pass.hidden] }
}
