//! Trace context that travels with events.

use tracing::Span;

/// How the application finds the trace context it is in, and links a span to another one: what an OpenTelemetry library
/// can do and this one need not know.
///
/// The text is a W3C `traceparent`: `00-<trace id>-<span id>-<flags>`. With `tracing-opentelemetry`:
///
/// ```ignore
/// impl TraceContext for OpenTelemetry {
///     fn current(&self) -> Option<String> {
///         let context = tracing::Span::current().context();
///         let span = context.span().span_context().clone();
///         span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags()))
///     }
///
///     fn link(&self, span: &tracing::Span, traceparent: &str) {
///         let mut parts = traceparent.split('-').skip(1);
///         if let (Some(Ok(trace)), Some(Ok(id))) = (parts.next().map(TraceId::from_hex), parts.next().map(SpanId::from_hex)) {
///             span.add_link(SpanContext::new(trace, id, TraceFlags::SAMPLED, true, TraceState::NONE));
///         }
///     }
/// }
/// ```
pub trait TraceContext: Send + Sync + 'static {
    /// The `traceparent` of what runs now; `None` outside of any trace. Asked once per append, on the caller's task.
    fn current(&self) -> Option<String>;

    /// Links a span, which is about to run, to the append of an event that it handles. Once per append and batch, and at
    /// most 128 times a batch.
    fn link(&self, span: &Span, traceparent: &str);
}
