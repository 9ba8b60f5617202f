/// A matrix of doubles, for reference computations that are too plain to be wrong.
struct Matrix {
  var rows: Int
  var columns: Int
  var values: [Double]

  init(_ rows: Int, _ columns: Int, _ values: [Double]) {
    (self.rows, self.columns, self.values) = (rows, columns, values)
  }

  init(_ rows: Int, _ columns: Int, _ element: (Int, Int) -> Double) {
    self.init(rows, columns, (0..<rows * columns).map { element($0 / columns, $0 % columns) })
  }

  subscript(_ row: Int, _ column: Int) -> Double {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }

  func row(_ row: Int) -> [Double] { Array(values[row * columns..<(row + 1) * columns]) }
  func map(_ function: (Double) -> Double) -> Matrix { Matrix(rows, columns, values.map(function)) }
  var transpose: Matrix { Matrix(columns, rows) { self[$1, $0] } }

  static func * (a: Matrix, b: Matrix) -> Matrix {
    var c = Matrix(a.rows, b.columns, [Double](repeating: 0, count: a.rows * b.columns))
    for i in 0..<a.rows {
      for k in 0..<a.columns { for j in 0..<b.columns { c[i, j] += a[i, k] * b[k, j] } }
    }
    return c
  }

  static func + (a: Matrix, b: Matrix) -> Matrix { Matrix(a.rows, a.columns) { a[$0, $1] + b[$0, $1] } }

  /// Every row combined with the one row of `b`.
  func withRow(_ b: Matrix, _ combine: (Double, Double) -> Double) -> Matrix {
    Matrix(rows, columns) { combine(self[$0, $1], b[0, $1]) }
  }
}
