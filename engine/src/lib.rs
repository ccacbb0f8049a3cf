//! The fold engine: subscribe, fold, checkpoint. Knows no view.
