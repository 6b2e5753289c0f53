//! Step 2: checked input. Every refusal lives here.
