// Joins two outputs of PFUMX or L6MUX21 to a look-up table of one more input.
module L6MUX21 (input D0, D1, SD, output Z);
    assign Z = SD ? D1 : D0;
endmodule
