// A pin that is driven while T is low, and read at all times.
module TRELLIS_IO (inout B, input I, T, output O);
    assign B = T ? 1'bz : I;
    assign O = B;
endmodule
