//! What the test programs share: the naive second implementation of the rules and the generator of random orders.
