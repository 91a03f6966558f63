// A pin.
module TRELLIS_IO (inout B, input I, T, output O);
    parameter DIR = "INPUT";
    generate
        if (DIR == "INPUT") assign O = B;
        else if (DIR == "OUTPUT") assign B = T ? 1'bz : I;
        else if (DIR == "BIDIR") begin
            assign B = T ? 1'bz : I;
            assign O = B;
        end else TRELLIS_IO_of_this_DIR_has_no_model stop ();
    endgenerate
endmodule
