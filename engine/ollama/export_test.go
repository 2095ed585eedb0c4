package ollama

// CompareGolden is for the tests that know the package from outside.
var CompareGolden = compareGolden
